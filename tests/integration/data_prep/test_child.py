"""Preparation in a real child process."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from archon_contracts.formats import QUALITY_FILE, DatasetQuality
from archon_contracts.identifiers import new_id
from services.data_prep.child import ENTRY, FORK_SERVER_MODULES, PreparationSpec, parse_result
from services.data_prep.domain import PreparationPolicy, PreparedSummary, SamplingSeeds
from services.data_prep.errors import PreparationTimedOut
from services.data_prep.sources.loading import SourceFolders
from services.data_prep.worker import PrepareWorker
from shared.clock import SystemClock
from shared.postgres.database import Database
from shared.telemetry.store import TelemetryStore
from shared.work.child_pool import ChildPool
from tests.support.data.data_preparation import corrections, jsonl
from tests.support.data.datasets import item, prepare_dataset


@pytest.fixture
def pool() -> ChildPool:
    telemetry = TelemetryStore(Database("postgresql://nowhere", "probe"), "probe")
    return ChildPool(warm_up_modules=FORK_SERVER_MODULES, threads=1, telemetry=telemetry)


def preparation(folder: Path, *inputs: str) -> PreparationSpec:
    """A window of forty corrections and these inputs."""
    source, output = folder / "source", folder / "output"
    for made in (source, output):
        made.mkdir()
    extra = [{"id": str(new_id()), "input": text, "target": "refund"} for text in inputs]
    (source / "items.jsonl").write_bytes(jsonl([*corrections(40), *extra]))
    return PreparationSpec(
        command=prepare_dataset(),
        folders=SourceFolders([source]),
        memory=(item("where is it", "status", source="replay"),),
        seeds=SamplingSeeds(job=1, agent=2),
        erased_feedback_ids=frozenset({"question-0"}),
        policy=PreparationPolicy(),
        now=datetime.now(UTC),
        output_dir=output,
    )


async def _ignore(_report: dict[str, Any]) -> None:
    return


async def test_a_child_writes_the_files_and_returns_the_counts(
    pool: ChildPool, tmp_path: Path
) -> None:
    spec = preparation(tmp_path)

    result = parse_result(await pool.run(ENTRY, spec.model_dump(mode="json"), _ignore))

    assert isinstance(result, PreparedSummary)
    assert result.quality.kept == sum(result.counts.values()) == 39
    assert len(result.learned) == result.counts["train"]
    lines = (spec.output_dir / "train.jsonl").read_bytes().splitlines()
    assert len(lines) == result.counts["train"]
    report = DatasetQuality.model_validate_json((spec.output_dir / QUALITY_FILE).read_bytes())
    assert (report.items, report.leakage.pairs) == (result.counts, 0)


async def test_a_long_run_of_combining_marks_does_not_delay_a_preparation(
    pool: ChildPool, tmp_path: Path
) -> None:
    spec = preparation(tmp_path, "a" + "\u0301\u0323" * 70_000)

    async with asyncio.timeout(30):
        result = parse_result(await pool.run(ENTRY, spec.model_dump(mode="json"), _ignore))

    assert isinstance(result, PreparedSummary)
    assert result.quality.kept == 40


async def test_a_child_is_ended_at_the_deadline(pool: ChildPool, tmp_path: Path) -> None:
    worker = PrepareWorker(
        service=None,
        queue=None,
        artifacts=None,
        children=pool,
        policy=PreparationPolicy(),
        clock=SystemClock(),
        deadline_seconds=0.001,
    )

    with pytest.raises(PreparationTimedOut, match="within"):
        await worker._run_child(preparation(tmp_path))
