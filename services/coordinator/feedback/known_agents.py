"""Cache of configured agents; feedback that comes before its agent's configuration waits a little.

An agent's configuration travels on another topic than its feedback, so the first feedback may be
here first. Each unknown name is waited for once; later it is only looked up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Final

from services.coordinator.domain import AgentKey
from services.coordinator.feedback.ports import AgentNames
from shared.postgres.database import Database

RECHECK_SECONDS: Final = 0.1
MAX_REMEMBERED: Final = 10_000
"""Unknown names kept in mind; a flood of them must not fill the memory."""


class ConfiguredAgentsCache:
    """Agents are never removed, so one that was found needs no second look."""

    def __init__(self, database: Database, agents: AgentNames, *, wait_seconds: float) -> None:
        self._database = database
        self._agents = agents
        self._wait_seconds = wait_seconds
        self._known: set[AgentKey] = set()
        self._waited_for: set[AgentKey] = set()

    async def missing(self, keys: Collection[AgentKey]) -> set[AgentKey]:
        """Those that are not configured, even after the wait that a new name gets."""
        unknown = set(keys) - self._known
        if not unknown:
            return unknown
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._wait_seconds
        while unknown := await self._look_up(unknown):
            if unknown <= self._waited_for or loop.time() >= deadline:
                break
            await asyncio.sleep(RECHECK_SECONDS)
        if len(self._waited_for) + len(unknown) > MAX_REMEMBERED:
            self._waited_for.clear()
        self._waited_for |= unknown
        return unknown

    async def _look_up(self, unknown: set[AgentKey]) -> set[AgentKey]:
        async with self._database.across_tenants() as tx:
            found = await self._agents.find_configured(tx, unknown)
        self._known |= found
        self._waited_for -= found
        return unknown - found
