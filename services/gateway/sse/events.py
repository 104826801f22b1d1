"""Events as streams show them, and which of them a stream wants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from archon_contracts.base import TYPE_PREFIX, Contract
from shared.messaging.messages import Message


@dataclass(frozen=True, slots=True)
class StreamedEvent:
    """An event as a stream shows it; `type` is the contract's name, such as JobCompleted."""

    event_id: UUID
    tenant_id: str
    agent_id: str | None
    type: str
    body: dict[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What a stream shows; None means everything of the tenant."""

    tenant_id: str
    agent_id: str | None = None
    types: frozenset[str] | None = None
    only: frozenset[str] | None = None
    """The agents that the key is bound to."""

    def matches(self, event: StreamedEvent) -> bool:
        """Whether the event belongs on the stream."""
        return (
            event.tenant_id == self.tenant_id
            and self.agent_id in (None, event.agent_id)
            and (self.only is None or event.agent_id in self.only)
            and (self.types is None or event.type in self.types)
        )


def to_streamed_event(message: Message[Contract]) -> StreamedEvent:
    """The event that streams show for a message."""
    body = message.body
    name = body.message_type().removeprefix(TYPE_PREFIX).rsplit(".", 1)[0]
    agent_id = getattr(body, "agent_id", None)
    return StreamedEvent(
        message.envelope.id, body.tenant_id, agent_id, name, body.to_json(), message.envelope.time
    )
