"""An outbox that keeps what is appended."""

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from archon_contracts.base import Contract
from archon_contracts.identifiers import derived_id
from shared.messaging.messages import Cause

T = TypeVar("T", bound=Contract)


class RecordingOutbox:
    """Deduplicates by cause, type, key and part; `tests/contract/shared` checks that it does."""

    def __init__(self) -> None:
        self.events: dict[UUID, Contract] = {}

    async def append(self, _tx: object, body: Contract, *, cause: Cause, part: str = "") -> UUID:
        event_id = derived_id(cause.id, body.message_type(), body.key, part)
        self.events.setdefault(event_id, body)
        return event_id

    async def append_all(self, tx: object, bodies: Sequence[Contract], *, cause: Cause) -> None:
        """Append each."""
        for body in bodies:
            await self.append(tx, body, cause=cause)

    def of(self, contract: type[T]) -> list[T]:
        """The appended messages of one type, in order."""
        return [body for body in self.events.values() if isinstance(body, contract)]
