"""A work queue that only knows what is open."""

from typing import Any
from uuid import UUID

from archon_contracts.identifiers import derived_id
from shared.messaging.messages import Cause


class OpenWork:
    """Payloads of open work, by kind and key."""

    def __init__(self) -> None:
        self.open: dict[str, list[dict[str, Any]]] = {}

    async def enqueue(
        self, _tx: object, *, kind: str, key: str, payload: dict[str, Any], cause: Cause
    ) -> UUID:
        self.open.setdefault(f"{kind} {key}", []).append(payload)
        return derived_id("work", cause.id, kind, key)

    async def cancel(self, _tx: object, *, kind: str, key: str) -> int:
        return len(self.open.pop(f"{kind} {key}", []))
