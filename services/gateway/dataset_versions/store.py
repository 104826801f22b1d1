"""Reads of one dataset version. Never commits."""

from __future__ import annotations

from services.gateway.domain import PreparedDatasetView
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries


class DatasetVersionStore:
    """Versions of agents' datasets, as data preparation reported them."""

    def __init__(self) -> None:
        self._queries = load_queries("services.gateway")

    async def find(
        self, tx: Tx, tenant_id: str, agent_id: str, dataset_version: int
    ) -> PreparedDatasetView | None:
        """The version; None: the agent has none of that number."""
        row = await self._queries.find_dataset_version(
            tx, tenant_id=tenant_id, agent_id=agent_id, dataset_version=dataset_version
        )
        return PreparedDatasetView(**row["body"], prepared_at=row["prepared_at"]) if row else None
