"""How windows end, typed: one method per query. The caller holds the statistics' lock."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.coordinator.domain import AgentKey, UnlearntFeedback, WindowOutcome
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries

MAX_LISTED: Final = 1_000
"""Ids of unlearnt feedback in one event: they must fit into a message."""


class WindowStore:
    """Windows that ended, and the feedback that left them again."""

    def __init__(self) -> None:
        self._queries = load_queries("services.coordinator")

    async def learnt_by_updates(self, tx: Tx, key: AgentKey, window_id: UUID) -> frozenset[UUID]:
        """The window's feedback that the deployed version has from updates of the fast path."""
        rows = self._queries.learnt_by_updates(
            tx, tenant_id=key.tenant_id, agent_id=key.agent_id, window_id=window_id
        )
        return frozenset([row["event_id"] async for row in rows])

    async def return_feedback(
        self,
        tx: Tx,
        key: AgentKey,
        window_id: UUID,
        *,
        maximum_returns: int,
        by_hand: bool,
        learnt: Collection[UUID] = (),
    ) -> int:
        """Make the window's feedback unused again, but for what is learnt; returns how many.

        Counts them in the stats.
        """
        row = await self._queries.return_feedback(
            tx,
            window_id=window_id,
            maximum_returns=maximum_returns,
            by_hand=by_hand,
            learnt=list(learnt),
        )
        return await self._count_unused(tx, key, row)

    async def count_stored(self, tx: Tx, key: AgentKey, event_ids: Collection[UUID]) -> int:
        """How many of these feedback events are stored, used or retracted ones among them."""
        stored: int = await self._queries.count_stored_feedback(
            tx, tenant_id=key.tenant_id, event_ids=list(event_ids)
        )
        return stored

    async def set_awaits_feedback(self, tx: Tx, key: AgentKey, *, awaits: bool) -> None:
        """Whether the agent's next job waits for feedback; while it does, nothing else is due."""
        await self._queries.set_awaits_feedback(
            tx, tenant_id=key.tenant_id, agent_id=key.agent_id, awaits=awaits
        )

    async def set_waiting(self, tx: Tx, window_id: UUID, waiting: Mapping[UUID, str]) -> None:
        """Take feedback out of its window until the agent has the answer that it names."""
        await self._queries.set_waiting(
            tx, window_id=window_id, event_ids=list(waiting), answers=list(waiting.values())
        )

    async def release_waiting(self, tx: Tx, key: AgentKey, answers: Collection[str] | None) -> int:
        """Make feedback that waits for these answers unused; None: for any. Counts it."""
        row = await self._queries.release_waiting(
            tx,
            tenant_id=key.tenant_id,
            agent_id=key.agent_id,
            answers=None if answers is None else list(answers),
        )
        return await self._count_unused(tx, key, row)

    async def unlearnt_feedback(
        self, tx: Tx, window_id: UUID, *, learnt: Collection[UUID] = ()
    ) -> UnlearntFeedback:
        """What is still in the window, but for what is learnt."""
        row = await self._queries.unlearnt_feedback(
            tx, window_id=window_id, most=MAX_LISTED, learnt=list(learnt)
        )
        return UnlearntFeedback(row["unlearnt"], tuple(row["event_ids"]))

    async def end_window(
        self, tx: Tx, window_id: UUID, outcome: WindowOutcome, reason: str, now: datetime
    ) -> None:
        """Record what became of a window."""
        await self._queries.end_window(
            tx, window_id=window_id, outcome=outcome, reason=reason, now=now
        )

    async def window_outcome(self, tx: Tx, window_id: UUID) -> WindowOutcome | None:
        """What became of a window; None: its job is under way."""
        found = await self._queries.window_outcome(tx, window_id=window_id)
        return WindowOutcome(found) if found else None

    async def window_of_version(
        self, tx: Tx, key: AgentKey, version: str
    ) -> tuple[UUID, WindowOutcome | None] | None:
        """The window that a version was trained on."""
        row = await self._queries.window_of_version(
            tx, tenant_id=key.tenant_id, agent_id=key.agent_id, version=version
        )
        if row is None:
            return None
        return row["window_id"], WindowOutcome(row["outcome"]) if row["outcome"] else None

    async def reclaim_feedback(self, tx: Tx, key: AgentKey, window_id: UUID) -> int:
        """Take back what the window gave back and nobody has claimed since; returns how many."""
        row = await self._queries.reclaim_feedback(tx, window_id=window_id)
        if row["taken"]:
            await self._queries.subtract_from_stats(
                tx,
                tenant_id=key.tenant_id,
                agent_id=key.agent_id,
                taken=row["taken"],
                rated=row["rated"],
                rating_sum=row["rating_sum"],
            )
            await self._queries.add_unchanged_counts(
                tx, tenant_id=key.tenant_id, agent_id=key.agent_id
            )
        return int(row["taken"])

    async def _count_unused(self, tx: Tx, key: AgentKey, row: Mapping[str, Any]) -> int:
        if row["returned"]:
            await self._queries.add_to_stats(
                tx,
                tenant_id=key.tenant_id,
                agent_id=key.agent_id,
                added=row["returned"],
                rated=row["rated"],
                rating_sum=row["rating_sum"],
                oldest=row["oldest"],
            )
            await self._queries.add_unchanged_counts(
                tx, tenant_id=key.tenant_id, agent_id=key.agent_id
            )
        return int(row["returned"])
