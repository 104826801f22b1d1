"""Feedback, interactions and annotations.

Written by `python -m tests.reference` from the asynchronous client; do not edit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from archon_contracts.client.event_size import encode_event
from archon_contracts.client.sdk.calls import ApiCall, api_path
from archon_contracts.client.sdk.synchronous.transport import Transport
from archon_contracts.client.traffic_class import current_traffic_class
from archon_contracts.event_ids import FeedbackEvent, with_traffic_class
from archon_contracts.events import (
    AnnotationSubmitted,
    FeedbackReceived,
    FeedbackRetracted,
    InteractionLogged,
)
from archon_contracts.identifiers import EventId, new_id
from archon_contracts.rules.bounds import MAX_EVENT_BYTES
from archon_contracts.traffic_classes import TrafficClass


class FeedbackApi:
    """Send events of the feedback topic; each has an id that follows from it, and counts once."""

    def __init__(self, transport: Transport, traffic_class: TrafficClass | None) -> None:
        self._transport = transport
        self._traffic_class = traffic_class

    def send(self, *events: FeedbackReceived) -> list[EventId]:
        """Send feedback; all events are accepted or none. Returns their ids.

        Raises:
            GatewayUnavailableError: not accepted in all attempts; sending again is safe.
            GatewayRefusedError: the gateway says what is wrong with one of them.
            EventTooLargeError: one of them is larger than the system takes; none was sent.
        """
        return self._post(api_path("feedback"), events)

    def give(
        self,
        agent_id: str,
        question: Any,
        *,
        actual: Any = None,
        expected: Any = None,
        rating: float | None = None,
        interaction_id: str | None = None,
        model_version: str | None = None,
        unit_id: str | None = None,
    ) -> EventId:
        """Rate one answer in one line; an interaction without an id is a new one.

        Raises:
            GatewayUnavailableError: not accepted in all attempts; sending again is safe only with
                an `interaction_id` of your own.
            GatewayRefusedError: the gateway says what is wrong with it.
        """
        event = FeedbackReceived(
            agent_id=agent_id,
            interaction_id=interaction_id or str(new_id()),
            input=question,
            actual=actual,
            expected=expected,
            rating=rating,
            model_version=model_version,
            unit_id=unit_id,
        )
        (event_id,) = self.send(event)
        return event_id

    def retract(self, *retractions: FeedbackRetracted) -> list[EventId]:
        """Withdraw feedback; no dataset prepared from then on contains it."""
        return self._post(api_path("feedback", "retractions"), retractions)

    def log_interactions(self, interactions: Iterable[InteractionLogged]) -> list[EventId]:
        """Record answers that nobody has rated yet."""
        return self._post(api_path("interactions"), tuple(interactions))

    def annotate(self, *annotations: AnnotationSubmitted) -> list[EventId]:
        """Submit labels of annotators; needs the scope `annotate`."""
        return self._post(api_path("annotations"), annotations)

    def _post(self, path: str, events: Sequence[FeedbackEvent]) -> list[EventId]:
        around = current_traffic_class()
        marked = [with_traffic_class(event, self._traffic_class, around) for event in events]
        for event in marked:
            encode_event(event, MAX_EVENT_BYTES)
        if not marked:
            return []
        body = {"events": [event.to_json() for event in marked]}
        # Without an idempotency key: an event's own id makes it safe to send again.
        answer = self._transport.send(ApiCall("POST", path, {}, body), dict[str, Any])
        return [EventId(UUID(event_id)) for event_id in answer["event_ids"]]
