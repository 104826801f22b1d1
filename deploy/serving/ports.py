"""What the server sends its events with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from archon_contracts.event_ids import FeedbackEvent
from archon_contracts.identifiers import EventId


class FeedbackSender(Protocol):
    """The clients of `archon_contracts.client`, over Kafka or HTTP."""

    async def send(self, event: FeedbackEvent) -> EventId: ...

    async def send_many(self, events: Iterable[FeedbackEvent]) -> list[EventId]: ...
