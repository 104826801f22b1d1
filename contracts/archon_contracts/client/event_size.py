"""The size check of the clients: a too large event is refused before it is sent."""

from __future__ import annotations

from archon_contracts.client.errors import EventTooLargeError
from archon_contracts.event_ids import FeedbackEvent, subject_of


def encode_event(event: FeedbackEvent, maximum_bytes: int) -> bytes:
    """The event as JSON.

    Raises:
        EventTooLargeError: it has more bytes than the system takes. Over Kafka it would be
            acknowledged first, and become a dead letter that the sender never hears of.
    """
    payload = event.to_bytes()
    if len(payload) > maximum_bytes:
        raise EventTooLargeError(len(payload), maximum_bytes, subject_of(event))
    return payload
