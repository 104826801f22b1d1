"""What the evaluation found is read from its artifact; without it the rest is reported."""

from pathlib import Path

import pytest

from archon_contracts.formats import CHANGES_FILE
from services.gateway.domain import JobView
from services.gateway.reports.service import RunReports
from shared.artifacts.store import ArtifactStore
from tests.support.gateway.reported_runs import changes_of, job_of


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path.as_uri())


async def evaluated(artifacts: ArtifactStore, files: dict[str, bytes]) -> JobView:
    """A job whose evaluation published these files."""
    ref = await artifacts.publish_files(files)
    evaluation = dict(job_of().evaluation or {})
    return job_of(evaluation=evaluation | {"predictions": ref.model_dump()})


async def test_the_changes_are_those_of_the_artifact(artifacts: ArtifactStore) -> None:
    content = changes_of().model_dump_json().encode()
    job = await evaluated(artifacts, {CHANGES_FILE: content, "candidate.jsonl": b"{}\n"})

    report = await RunReports(artifacts).build(job, [])

    assert report.changes == changes_of()


@pytest.mark.parametrize(
    "files",
    [{"candidate.jsonl": b"{}\n"}, {CHANGES_FILE: b"{"}, {CHANGES_FILE: b'{"format": 2}'}],
)
async def test_without_readable_changes_the_rest_is_reported(
    artifacts: ArtifactStore, files: dict[str, bytes]
) -> None:
    report = await RunReports(artifacts).build(await evaluated(artifacts, files), [])

    assert report.changes is None
    assert report.reasons


async def test_a_lost_artifact_leaves_the_rest(artifacts: ArtifactStore) -> None:
    report = await RunReports(artifacts).build(job_of(), [])

    assert report.changes is None
    assert report.version == "1.1.0"
