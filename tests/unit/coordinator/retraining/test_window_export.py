"""A window's feedback as lines of training data."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

import pytest

from archon_contracts.commands import SourceKind
from archon_contracts.events import AnnotationSubmitted
from services.coordinator.feedback.stats import ANNOTATION, StoredFeedback
from services.coordinator.retraining.window_export import (
    annotation_lines,
    feedback_lines,
)
from services.data_prep.sources.records import read_source
from tests.support.coordinator.coordinator import AGENT, feedback, items_in
from tests.support.messaging.messages import NOON


def stored(number: int, **fields: object) -> StoredFeedback:
    """A stored correction."""
    body = feedback(f"i{number}", **fields)
    return StoredFeedback(UUID(int=number), body.source, body.rating, NOON, body.to_bytes())


def label(item_id: str, annotator_id: str, answer: object) -> StoredFeedback:
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
    assert (item["source"], item["feedback_source"]) == ("feedback", "user")


def test_a_rating_alone_has_no_target() -> None:
    (item,) = items_in(feedback_lines([stored(1, expected=None, rating=2)]).content)

    assert ("target" in item, item["rating"]) == (False, 2)


def test_behaviour_and_propensity_are_exported_and_are_no_correction() -> None:
    body = feedback(
        "i1",
        expected=None,
        signals=[{"kind": "edited", "after_seconds": 30}],
        shown=["wrong", "other"],
        propensity=0.25,
    )
    row = StoredFeedback(UUID(int=1), "user", None, NOON, body.to_bytes())

    (item,) = items_in(feedback_lines([row]).content)

    assert item["signals"] == [{"kind": "edited", "after_seconds": 30.0}]
    assert (item["shown"], item["propensity"]) == (["wrong", "other"], 0.25)
    assert "target" not in item


def test_nothing_occurred_after_it_was_received() -> None:
    stated, future = NOON.replace(hour=3), NOON.replace(year=2099)
    lines = feedback_lines([stored(1)] + [stored(2, occurred_at=at) for at in (stated, future)])

    items = items_in(lines.content)

    occurred = [datetime.fromisoformat(item["occurred_at"]) for item in items]
    assert occurred == [NOON, stated, NOON]
    assert {datetime.fromisoformat(item["received_at"]) for item in items} == {NOON}


def test_an_item_that_cannot_be_written_is_set_aside_alone() -> None:
    bad = replace(stored(2), body=b'{"input": [NaN]}')
    huge = replace(stored(3), body=b'{"input": ' + b"[" * 2_000 + b"]" * 2_000 + b"}")

    lines = feedback_lines([stored(1), bad, huge, stored(4)])

    assert lines.items == 4
    source = read_source(lines.content.splitlines(), SourceKind.FEEDBACK)
    assert (len(source.records), source.unreadable) == (2, {"input is not valid": 2})


def test_labels_of_one_item_are_one_line() -> None:
    lines = annotation_lines(
        [label("x", "ann", "a"), stored(1), label("x", "bob", "b"), label("y", "ann", "c")]
    )

    first, second = items_in(lines.content)
    assert [each["label"] for each in first["annotations"]] == ["a", "b"]
    assert (second["id"], lines.items) == ("y", 2)


def test_annotations_are_no_feedback_lines() -> None:
    assert feedback_lines([label("x", "ann", "a")]).items == 0


@pytest.mark.parametrize("nothing", ["", {}, []])
def test_an_empty_input_or_label_becomes_no_line(nothing: object) -> None:
    assert feedback_lines([stored(1, input=nothing)]).items == 0
    assert annotation_lines([label("x", "ann", nothing)]).items == 0


def test_a_structured_input_becomes_text() -> None:
    (item,) = items_in(feedback_lines([stored(1, input={"b": 1, "a": [True]})]).content)

    assert item["input"] == '{"a":[true],"b":1}'
