"""Retracted feedback that versions may hold, typed: one method per query."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.coordinator.domain import AgentKey, TrainedVersion, WithdrawnItem
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries


class WithdrawalStore:
    """The caller holds the statistics' lock."""

    def __init__(self) -> None:
        self._queries = load_queries("services.coordinator")

    async def withdrawn_items(self, tx: Tx, key: AgentKey, *, most: int) -> list[WithdrawnItem]:
        """The agent's retracted items that a window or an update has had, newest first."""
        rows = self._queries.withdrawn_items(tx, **_place(key), most=most)
        return [
            WithdrawnItem(
                row["event_id"], row["withdrawn_at"], frozenset(row["holders"]), row["tries"]
            )
            async for row in rows
        ]

    async def trained_versions(self, tx: Tx, key: AgentKey) -> list[TrainedVersion]:
        """The agent's versions, as its jobs made them."""
        return [
            TrainedVersion(**row) async for row in self._queries.trained_versions(tx, **_place(key))
        ]

    async def count_try(
        self, tx: Tx, key: AgentKey, event_ids: Sequence[UUID], sequence: int
    ) -> None:
        """A withdrawal of these items begins; it is the agent's update of this number."""
        await self._queries.count_withdrawal_try(
            tx, **_place(key), event_ids=list(event_ids), sequence=sequence
        )

    async def give_up_tried(self, tx: Tx, key: AgentKey, tries: int) -> None:
        """What was tried at all counts as tried so often."""
        await self._queries.give_up_withdrawals(tx, **_place(key), tries=tries)

    async def reset_tries(self, tx: Tx, key: AgentKey) -> None:
        """What was tried before is tried again."""
        await self._queries.reset_withdrawal_tries(tx, **_place(key))

    async def set_withdrawals(self, tx: Tx, key: AgentKey, count: int) -> None:
        """How many items are to be looked for in the deployed version."""
        await self._queries.set_withdrawals(tx, **_place(key), withdrawals=count)

    async def delay_withdrawals(self, tx: Tx, key: AgentKey, until: datetime) -> None:
        """No withdrawal begins until then, unless more is retracted or a version deployed."""
        await self._queries.delay_withdrawals(tx, **_place(key), until=until)

    async def mark_withdrawals(self, tx: Tx, key: AgentKey) -> None:
        """All of the agent's retracted items are to be looked for."""
        await self._queries.mark_withdrawals(tx, **_place(key))


def _place(key: AgentKey) -> dict[str, str]:
    return {"tenant_id": key.tenant_id, "agent_id": key.agent_id}
