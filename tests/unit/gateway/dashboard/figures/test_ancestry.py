"""Where a version comes from, as a drawing."""

from archon_contracts.identifiers import new_id
from services.gateway.dashboard.figures.ancestry import (
    MAX_GENERATIONS,
    AncestryDrawing,
    draw_ancestry,
    summarize,
)
from services.gateway.views.models import Ancestor, Lineage, LineageView


def origin_of(generations: int, feedback: int | None = 602) -> LineageView:
    ancestors = [
        Ancestor(
            version=f"1.{number}.0",
            status="ready",
            digest="d",
            job_id=new_id(),
            dataset_id=new_id() if number % 2 == 0 else None,
        )
        for number in reversed(range(generations))
    ]
    lineage = Lineage(feedback_count=feedback, facts={"trigger": "count"})
    newest = ancestors[0].version
    return LineageView(agent_id="a b", version=newest, lineage=lineage, ancestors=ancestors)


def kinds_of(drawing: AncestryDrawing) -> list[str]:
    return [box.kind for box in drawing.boxes]


def test_a_version_goes_back_to_its_feedback_and_to_the_version_before() -> None:
    found = origin_of(3)
    drawing = draw_ancestry(found)

    assert kinds_of(drawing) == [
        "Feedback", "Dataset", "Training", "Version",
        "Training", "Version",
        "Dataset", "Training", "Version",
    ]  # fmt: skip
    assert drawing.boxes[0].text == "602 events"
    assert drawing.boxes[5].place == "/agents/a%20b/versions/1.1.0/lineage"
    assert sum(arrow.from_parent for arrow in drawing.arrows) == 2
    assert all(box.x + 200 <= drawing.width for box in drawing.boxes)
    assert all(box.y + 50 <= drawing.height for box in drawing.boxes)
    assert summarize(found.ancestors) == "1.2.0 from 1.1.0 from 1.0.0"


def test_an_imported_version_has_no_feedback_and_long_chains_end() -> None:
    assert "Feedback" not in kinds_of(draw_ancestry(origin_of(1, feedback=None)))
    drawing = draw_ancestry(origin_of(MAX_GENERATIONS + 4))
    assert drawing.hidden == 4
    assert kinds_of(drawing).count("Version") == MAX_GENERATIONS
