"""A work queue in memory that knows what is open; nobody leases from it."""

from typing import Any
from uuid import UUID

from archon_contracts.identifiers import derived_id
from shared.messaging.messages import Cause


class OpenWork:
    """Satisfies what services enqueue to; `tests/contract/shared` compares it with the queue."""

    def __init__(self) -> None:
        self._open: dict[UUID, tuple[str, str, dict[str, Any]]] = {}
        self._known: set[UUID] = set()

    @property
    def open(self) -> dict[str, list[dict[str, Any]]]:
        """Payloads of open work, by kind and key, in the order in which they were added."""
        found: dict[str, list[dict[str, Any]]] = {}
        for kind, key, payload in self._open.values():
            found.setdefault(f"{kind} {key}", []).append(payload)
        return found

    async def enqueue(
        self, _tx: object, *, kind: str, key: str, payload: dict[str, Any], cause: Cause
    ) -> UUID:
        work_id = derived_id("work", cause.id, kind, key)
        # As in the table, the row of cancelled work stays: a redelivered cause does not revive it.
        if work_id not in self._known:
            self._known.add(work_id)
            self._open[work_id] = (kind, key, payload)
        return work_id

    async def cancel(self, _tx: object, *, kind: str, key: str) -> int:
        found = [each for each, row in self._open.items() if row[:2] == (kind, key)]
        for each in found:
            del self._open[each]
        return len(found)
