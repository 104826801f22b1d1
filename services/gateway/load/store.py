"""The outbox backlog in the database."""

from __future__ import annotations

from services.gateway.load.outbox_backlog import OutboxBacklog
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries


class OutboxBacklogStore:
    """One method per query; reads only."""

    def __init__(self) -> None:
        self._queries = load_queries("services.gateway")

    async def measure(self, tx: Tx, *, limit: int) -> OutboxBacklog:
        """The backlog among the first `limit` unpublished rows."""
        row = await self._queries.measure_outbox_backlog(tx, limit=limit)
        return OutboxBacklog(age_seconds=row["age_seconds"], backlog=row["backlog"])
