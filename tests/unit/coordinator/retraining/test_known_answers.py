"""Which corrections wait for an answer that the agent does not have."""

from uuid import UUID

import pytest

from archon_contracts.events import AnnotationSubmitted
from services.coordinator.feedback.stats import ANNOTATION, StoredFeedback
from services.coordinator.retraining.known_answers import (
    describe_waiting,
    split_by_known_answers,
)
from tests.support.coordinator.coordinator import feedback
from tests.support.messaging.messages import NOON

ANSWERS = frozenset({"billing", "café"})


def stored(number: int, body: bytes, source: str = "user") -> StoredFeedback:
    """A row as the window has it."""
    return StoredFeedback(UUID(int=number), source, None, NOON, body)


@pytest.mark.parametrize(
    ("fields", "waits_for"),
    [
        ({"expected": "billing"}, None),
        ({"expected": " billing\n"}, None),
        ({"expected": "cafe\u0301"}, None),  # the same label, decomposed
        ({"expected": "Billing"}, "Billing"),  # another label, which the sentence names
        ({"expected": "refund"}, "refund"),
        ({"expected": {"tool": "x"}}, '{"tool":"x"}'),
        ({"expected": None, "rating": 1}, None),
        ({"expected": None, "reward": -1}, None),
    ],
)
def test_a_correction_waits_only_for_an_answer_that_the_agent_lacks(
    fields: dict[str, object], waits_for: str | None
) -> None:
    row = stored(1, feedback("i", **fields).to_bytes())

    parts = split_by_known_answers([row], ANSWERS)

    assert parts.waiting == ({} if waits_for is None else {UUID(int=1): waits_for})
    assert parts.usable == ([row] if waits_for is None else [])


def test_an_annotators_label_waits_too() -> None:
    label = AnnotationSubmitted(
        agent_id="a", item_id="x", annotator_id="ann", input="q", label="refund"
    )

    parts = split_by_known_answers([stored(1, label.to_bytes(), ANNOTATION)], ANSWERS)

    assert parts.waiting == {UUID(int=1): "refund"}


def test_nothing_waits_where_any_text_is_an_answer() -> None:
    row = stored(1, feedback("i", expected="refund").to_bytes())

    assert not split_by_known_answers([row], None).waiting


def test_what_waits_is_said_with_the_most_wanted_answers_first() -> None:
    said = describe_waiting({"refund": 2, "status": 7})

    assert said.startswith("9 corrections wait for answers that the agent does not have")
    assert "'status' (7), 'refund' (2)" in said
    assert describe_waiting({}) == ""
