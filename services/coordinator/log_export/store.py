"""An agent's logs, typed: one method per query."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.coordinator.domain import AgentKey
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries


class StoredLog(NamedTuple):
    """A body as received."""

    event_id: UUID
    received_at: datetime
    body: bytes


class LogStore:
    """Only reads."""

    def __init__(self) -> None:
        self._queries = load_queries("services.coordinator")

    async def find_interactions(
        self, tx: Tx, key: AgentKey, since: datetime, before: tuple[datetime, UUID], most: int
    ) -> list[StoredLog]:
        """The newest interactions before a place, newest first."""
        rows = self._queries.agent_interactions(tx, **_arguments(key, since, before, most))
        return [StoredLog(*row) async for row in rows]

    async def find_feedback(
        self, tx: Tx, key: AgentKey, since: datetime, before: tuple[datetime, UUID], most: int
    ) -> list[StoredLog]:
        """The newest feedback before a place, newest first; what was retracted is not in it."""
        rows = self._queries.agent_feedback(tx, **_arguments(key, since, before, most))
        return [StoredLog(*row) async for row in rows]


def _arguments(
    key: AgentKey, since: datetime, before: tuple[datetime, UUID], most: int
) -> dict[str, object]:
    return {
        "tenant_id": key.tenant_id,
        "agent_id": key.agent_id,
        "since": since,
        "before": before[0],
        "before_id": before[1],
        "most": most,
    }
