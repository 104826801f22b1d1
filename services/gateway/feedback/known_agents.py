"""Configured agents in memory, so that the hot path needs no query."""

from __future__ import annotations

from collections.abc import Iterable

from services.gateway.errors import NotFound
from services.gateway.store import GatewayStore
from shared.postgres.database import Database


class KnownAgents:
    """Cache of agent names. Agents are never removed, so an entry never expires."""

    def __init__(self, database: Database, store: GatewayStore) -> None:
        self._database = database
        self._store = store
        self._names: set[tuple[str, str]] = set()

    async def load(self) -> None:
        """Read all names once, at start."""
        async with self._database.across_tenants() as tx:
            self._names |= await self._store.agent_names(tx)

    def add(self, tenant_id: str, agent_id: str) -> None:
        """Add a configured agent."""
        self._names.add((tenant_id, agent_id))

    async def require(self, tenant_id: str, agent_ids: Iterable[str]) -> None:
        """Require configured agents; an unknown name is looked up in the database.

        Another gateway process may have consumed its event.

        Raises:
            NotFound: an agent is not configured.
        """
        for agent_id in set(agent_ids):
            if (tenant_id, agent_id) in self._names:
                continue
            async with self._database.transaction(tenant_id) as tx:
                if not await self._store.has_agent(tx, tenant_id, agent_id):
                    raise NotFound("agent", agent_id)
            self.add(tenant_id, agent_id)
