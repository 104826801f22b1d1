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
from archon_contracts.traffic_classes import TrafficClass

FeedbackEvent = FeedbackReceived | FeedbackRetracted | InteractionLogged | AnnotationSubmitted
"""What agents send: everything on the feedback topic."""


def subject_of(event: FeedbackEvent) -> str:
    """What the event is about: the interaction, or the item that was annotated."""
    return event.item_id if isinstance(event, AnnotationSubmitted) else event.interaction_id


def with_traffic_class(event: FeedbackEvent, *surroundings: TrafficClass | None) -> FeedbackEvent:
    """The event with its own traffic_class, or else the first that its surroundings have.

    That an event calls itself production does not help it: it may not know where it runs.
    """
    for traffic_class in (event.traffic_class, *surroundings):
        if traffic_class not in (None, TrafficClass.PRODUCTION):
            same = traffic_class is event.traffic_class
            return event if same else event.model_copy(update={"traffic_class": traffic_class})
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
