"""A window's feedback as lines of training data."""

from uuid import UUID

from archon_contracts.events import AnnotationSubmitted
from services.coordinator.feedback.stats import ANNOTATION, StoredFeedback
from services.coordinator.retraining.window_export import (
    annotation_lines,
    count_lines,
    feedback_lines,
)
from tests.support.coordinator.coordinator import AGENT, feedback, items_in
from tests.support.messaging.messages import NOON


def stored(number: int, **fields: object) -> StoredFeedback:
    """A stored correction."""
    body = feedback(f"i{number}", **fields)
    return StoredFeedback(UUID(int=number), body.source, body.rating, NOON, body.to_bytes())


def label(item_id: str, annotator_id: str, answer: str) -> StoredFeedback:
    """A stored annotation."""
    body = AnnotationSubmitted(
        agent_id=AGENT, item_id=item_id, annotator_id=annotator_id, input="what?", label=answer
    )
    return StoredFeedback(UUID(int=1), ANNOTATION, None, NOON, body.to_bytes())


def test_a_correction_becomes_the_target() -> None:
    lines = feedback_lines([stored(1, rating=2)])

    (item,) = items_in(lines.content)
    assert lines.items == 1
    assert (item["id"], item["target"], item["actual"]) == (str(UUID(int=1)), "right", "wrong")
    assert (item["source"], item["given_by"]) == ("feedback", "user")


def test_a_rating_alone_has_no_target() -> None:
    (item,) = items_in(feedback_lines([stored(1, expected=None, rating=2)]).content)

    assert (item["target"], item["rating"]) == (None, 2)


def test_the_time_of_arrival_stands_in_for_the_time_of_the_event() -> None:
    stated = NOON.replace(hour=3)
    lines = feedback_lines([stored(1), stored(2, occurred_at=stated)])

    times = [item["occurred_at"] for item in items_in(lines.content)]

    assert times == [NOON.isoformat(), stated.isoformat().replace("+00:00", "Z")] or times == [
        NOON.isoformat(),
        stated.isoformat(),
    ]


def test_labels_of_one_item_are_one_line() -> None:
    lines = annotation_lines(
        [label("x", "ann", "a"), stored(1), label("x", "bob", "b"), label("y", "ann", "c")]
    )

    first, second = items_in(lines.content)
    assert [each["label"] for each in first["annotations"]] == ["a", "b"]
    assert (second["id"], lines.items) == ("y", 2)


def test_annotations_are_no_feedback_lines() -> None:
    assert feedback_lines([label("x", "ann", "a")]).items == 0


def test_blank_lines_are_not_counted() -> None:
    assert count_lines(b'{"a": 1}\n\n  \n{"b": 2}') == 2
