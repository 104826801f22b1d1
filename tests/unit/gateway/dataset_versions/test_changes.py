"""What changed between two dataset versions, and the page of a quality report."""

from datetime import UTC, datetime

import orjson

from archon_contracts.events import QualityReport
from archon_contracts.formats import (
    DatasetQuality,
    Freshness,
    LabelErrors,
    LeakageCheck,
    PersonalDataFound,
    QualityLimit,
    Split,
    SuspectItem,
    TargetBalance,
)
from archon_contracts.identifiers import new_id
from archon_contracts.values import AgentKind, ArtifactRef
from services.gateway.dataset_versions.changes import compare_versions
from services.gateway.dataset_versions.page import render_quality_page
from services.gateway.domain import PreparedDatasetView

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def version(number: int) -> PreparedDatasetView:
    return PreparedDatasetView(
        dataset_id=new_id(),
        agent_id="a",
        job_id=new_id(),
        dataset_version=number,
        artifact=ArtifactRef(uri="file:///d", digest="0" * 64),
        items={},
        quality={},
        prepared_at=NOON,
    )


def part(**targets: str) -> bytes:
    return b"\n".join(orjson.dumps({"input": i, "target": t}) for i, t in targets.items())


def test_added_removed_relabelled_and_moved_inputs_are_counted_apart() -> None:
    old = {Split.TRAIN: part(kept="x", gone="x", other="x"), Split.TEST: part(went="y")}
    new = {Split.TRAIN: part(kept="x", came="z", other="y", went="y"), Split.TEST: b""}

    found = compare_versions(version(3), new, version(2), old)

    assert (found.dataset_version, found.since) == (3, 2)
    assert (found.added, found.removed, found.relabelled, found.moved) == (1, 1, 1, 1)
    assert (found.added_by_target, found.removed_by_target) == ({"z": 1}, {"x": 1})
    assert {(e.text, e.part_before, e.part) for e in found.examples} == {
        ("other", "train", "train"),
        ("went", "test", "train"),
    }


def test_the_page_quotes_what_strangers_wrote_as_text() -> None:
    hostile = "<script>alert(1)</script>"
    suspect = SuspectItem(
        id="i", part="train", input=hostile, label=hostile, suggested="b", margin=-0.5
    )
    quality = DatasetQuality(
        agent_id="a",
        kind=AgentKind.CLASSIFIER,
        items={"train": 3},
        counts=QualityReport(received=3, kept=3),
        balance=TargetBalance(
            targets=1,
            largest=hostile,
            largest_proportion=1,
            smallest_items=3,
            seen_once=0,
            evenness=1,
            counts={hostile: 3},
        ),
        label_errors=LabelErrors(
            checked=3, suspected=1, proportion=0.1, weight=1, items=(suspect,)
        ),
        personal_data=PersonalDataFound(items=1, by_kind={"EMAIL": 1}, redacted=False),
        leakage=LeakageCheck(threshold=0.8, compared=2, pairs=0),
        freshness=Freshness(dated=1, undated=2, oldest=NOON, median=NOON, newest=NOON),
        limits=(QualityLimit(name="minimum_items", limit=9, figure=3, passed=False, detail="few"),),
        unmeasured={"drift": "no memory"},
    )

    page = render_quality_page(quality, 4)

    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "Content-Security-Policy" in page
    assert "http" not in page.split("</style>")[1]
    for said in ("dataset 4", "▼ refused", "1 EMAIL", "no memory", "2026-11-30 12:00 UTC"):
        assert said in page
