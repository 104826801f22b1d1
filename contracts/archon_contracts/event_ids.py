"""The ids of feedback events that are sent without one: repeated sends are counted once."""

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
    """The event with the traffic class it names, or else the first of its surroundings.

    "production" in an event does not override them: its sender may not know where it runs.
    """
    for traffic_class in (event.traffic_class, *surroundings):
        if traffic_class not in (None, TrafficClass.PRODUCTION):
            same = traffic_class is event.traffic_class
            return event if same else event.model_copy(update={"traffic_class": traffic_class})
    return event


def event_id_of(event: FeedbackEvent) -> EventId:
    """An id derived from kind, agent, subject and source, so that a repeated send is a duplicate.

    A second feedback event of the same source on one interaction (a user who changed their mind)
    needs an explicit id, else it counts as a repetition.
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
