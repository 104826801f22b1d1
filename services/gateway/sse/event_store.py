"""Storage of the newest events, for streams that resume."""

from __future__ import annotations

from uuid import UUID

from services.gateway.sse.events import StreamedEvent
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries


class EventStore:
    """One method per query; never commits."""

    def __init__(self) -> None:
        self._queries = load_queries("services.gateway")

    async def add(self, tx: Tx, event: StreamedEvent) -> None:
        await self._queries.insert_recent_event(
            tx,
            event_id=event.event_id,
            tenant_id=event.tenant_id,
            agent_id=event.agent_id,
            type=event.type,
            body=event.body,
            at=event.at,
        )

    async def since(
        self, tx: Tx, tenant_id: str, event_id: UUID, *, limit: int
    ) -> list[StreamedEvent]:
        """Events after this one, oldest first; none when it is no longer stored."""
        rows = self._queries.events_since(tx, tenant_id=tenant_id, event_id=event_id, limit=limit)
        return [StreamedEvent(**dict(row)) async for row in rows]

    async def has(self, tx: Tx, tenant_id: str, event_id: UUID) -> bool:
        """Whether the event is still stored."""
        found: bool = await self._queries.has_recent_event(
            tx, tenant_id=tenant_id, event_id=event_id
        )
        return found

    async def prune(self, tx: Tx, *, keep: int) -> None:
        await self._queries.prune_events(tx, keep=keep)
