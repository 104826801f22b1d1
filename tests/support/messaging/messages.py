"""Messages as a handler gets them, without a broker."""

from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from archon_contracts.base import Contract
from archon_contracts.envelope import Envelope
from archon_contracts.identifiers import new_id
from shared.messaging.messages import Message

T = TypeVar("T", bound=Contract)

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def message_of(body: T, *, message_id: UUID | None = None, time: datetime = NOON) -> Message[T]:
    """A message with this body; a new one each time unless an id is given."""
    event_id = message_id or new_id()
    envelope = Envelope(
        id=event_id,
        source="archon/test",
        type=body.message_type(),
        time=time,
        correlation_id=str(event_id),
    )
    return Message(body, envelope, topic=body.topic.name, key=body.key)
