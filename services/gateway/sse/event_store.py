"""The newest events, for streams that resume."""

from __future__ import annotations

from uuid import UUID

from services.gateway.sse.feed import FeedEvent
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries


class EventStore:
    """One method per query; never commits."""

    def __init__(self) -> None:
        self._queries = load_queries("services.gateway")

    async def remember(self, tx: Tx, event: FeedEvent) -> None:
        await self._queries.remember_event(
            tx,
            event_id=event.event_id,
            tenant_id=event.tenant_id,
            agent_id=event.agent_id,
            type=event.type,
            body=event.body,
            at=event.at,
        )

    async def since(self, tx: Tx, tenant_id: str, event_id: UUID, *, most: int) -> list[FeedEvent]:
        """What came after an event, oldest first; nothing when that event is not kept."""
        rows = self._queries.events_since(tx, tenant_id=tenant_id, event_id=event_id, most=most)
        return [FeedEvent(**dict(row)) async for row in rows]

    async def prune(self, tx: Tx, *, keep: int) -> None:
        await self._queries.prune_events(tx, keep=keep)
