"""The ids of feedback events that are sent without one: sending twice is then counted once."""

from __future__ import annotations

from typing import assert_never

from archon_contracts.events.feedback import (
    AnnotationSubmitted,
    FeedbackReceived,
    FeedbackRetracted,
    InteractionLogged,
)
from archon_contracts.identifiers import EventId, derived_id, feedback_event_id
from archon_contracts.traffic_classes import Purpose

FeedbackEvent = FeedbackReceived | FeedbackRetracted | InteractionLogged | AnnotationSubmitted
"""What agents send: everything on the feedback topic."""


def subject_of(event: FeedbackEvent) -> str:
    """What the event is about: the interaction, or the item that was annotated."""
    return event.item_id if isinstance(event, AnnotationSubmitted) else event.interaction_id


def with_purpose(event: FeedbackEvent, *surroundings: Purpose | None) -> FeedbackEvent:
    """The event with its own purpose, or else the first that its surroundings have.

    That an event calls itself production does not help it: it may not know where it runs.
    """
    for purpose in (event.purpose, *surroundings):
        if purpose not in (None, Purpose.PRODUCTION):
            same = purpose is event.purpose
            return event if same else event.model_copy(update={"purpose": purpose})
    return event


def event_id_of(event: FeedbackEvent) -> EventId:
    """The same id for the same statement about the same thing by the same party.

    So a second judgement of an interaction by the same source is taken for a repetition; one that
    shall count (a user who changed their mind, say) needs an id of its own.
    """
    tenant, agent, subject = event.tenant_id, event.agent_id, subject_of(event)
    match event:
        case FeedbackReceived():
            return feedback_event_id(tenant, agent, subject, event.source)
        case FeedbackRetracted():
            return EventId(derived_id("retraction", tenant, agent, subject, event.source))
        case InteractionLogged():
            return EventId(derived_id("interaction", tenant, agent, subject))
        case AnnotationSubmitted():
            return EventId(derived_id("annotation", tenant, agent, subject, event.annotator_id))
        case _:
            assert_never(event)
