"""What is sent twice has one id; what says something else has another."""

from __future__ import annotations

from typing import Any

import pytest

from archon_contracts.event_ids import FeedbackEvent, event_id_of, subject_of
from archon_contracts.events import (
    AnnotationSubmitted,
    FeedbackReceived,
    FeedbackRetracted,
    InteractionLogged,
)
from archon_contracts.identifiers import feedback_event_id

INTERACTION: dict[str, Any] = {"agent_id": "picker", "interaction_id": "i-1"}
RECEIVED = FeedbackReceived(**INTERACTION, input="q", actual="a", rating=4)
EVENTS: list[FeedbackEvent] = [
    RECEIVED,
    FeedbackRetracted(**INTERACTION),
    InteractionLogged(**INTERACTION, input="q", actual="a"),
    AnnotationSubmitted(agent_id="picker", item_id="i-1", annotator_id="ann", input="q", label="x"),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_the_same_event_has_the_same_id(event: FeedbackEvent) -> None:
    assert event_id_of(event) == event_id_of(event.model_copy())


def test_events_of_different_types_about_one_interaction_have_different_ids() -> None:
    assert len({event_id_of(event) for event in EVENTS}) == len(EVENTS)


def test_feedback_is_identified_as_a_reader_would_identify_it() -> None:
    assert event_id_of(RECEIVED) == feedback_event_id("default", "picker", "i-1", "user")


@pytest.mark.parametrize(
    "change",
    [{"tenant_id": "acme"}, {"agent_id": "other"}, {"interaction_id": "i-2"}, {"source": "expert"}],
    ids=lambda change: next(iter(change)),
)
def test_another_tenant_agent_interaction_or_source_is_another_feedback_event(
    change: dict[str, str],
) -> None:
    assert event_id_of(RECEIVED.model_copy(update=change)) != event_id_of(RECEIVED)


def test_two_annotators_of_one_item_are_two_annotations() -> None:
    first = EVENTS[3]
    second = first.model_copy(update={"annotator_id": "other"})

    assert event_id_of(first) != event_id_of(second)


def test_another_label_of_an_annotator_is_another_annotation() -> None:
    assert event_id_of(EVENTS[3]) != event_id_of(EVENTS[3].model_copy(update={"label": "y"}))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_the_submitter_is_part_of_the_id(event: FeedbackEvent) -> None:
    assert len({event_id_of(event, submitter) for submitter in ("", "key:1", "key:2")}) == 3


def test_the_subject_is_the_interaction_or_the_annotated_item() -> None:
    assert {subject_of(event) for event in EVENTS} == {"i-1"}
