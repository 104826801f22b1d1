"""The ids of feedback events that are sent without one: repeated sends are counted once."""

from __future__ import annotations

import json
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


def event_id_of(event: FeedbackEvent, submitted_by: str = "") -> EventId:
    """An id derived from what the event is about and who sends it: a repeated send is a duplicate.

    `submitted_by` is the API key (the gateway adds it) or the Kafka source that it comes from.
    A second feedback event of the same submitter and source on one interaction is a repetition,
    unless it has an explicit id or the first one was retracted before. Another label of an
    annotator is another annotation, and the last one counts. A retraction has the same id each
    time; each one that is sent is applied to what came before it.
    """
    tenant, agent, subject = event.tenant_id, event.agent_id, subject_of(event)
    submitter = (submitted_by,) if submitted_by else ()
    match event:
        case FeedbackReceived():
            return feedback_event_id(tenant, agent, subject, event.source, submitted_by)
        case FeedbackRetracted():
            whose = (event.annotator_id or "", event.submitted_by or "")
            more = (*whose, *submitter) if any(whose) else submitter
            return EventId(derived_id("retraction", tenant, agent, subject, event.source, *more))
        case InteractionLogged():
            return EventId(derived_id("interaction", tenant, agent, subject, *submitter))
        case AnnotationSubmitted():
            label = json.dumps([event.label, event.confidence], sort_keys=True)
            named = (event.annotator_id, label)
            return EventId(derived_id("annotation", tenant, agent, subject, *named, *submitter))
        case _:
            assert_never(event)
