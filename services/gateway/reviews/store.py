"""Review tasks and reviews: one method per query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.postgres.database import Tx
from shared.postgres.queries import load_queries

Row = dict[str, Any]


class ReviewStore:
    """Takes `tx` and never commits."""

    def __init__(self) -> None:
        self._queries = load_queries("services.gateway")

    async def add_tasks(
        self,
        tx: Tx,
        tenant_id: str,
        agent_id: str,
        items: Mapping[UUID, str],
        *,
        kind: str,
        votes: int,
        at: datetime,
    ) -> None:
        await self._queries.insert_review_tasks(
            tx,
            tenant_id=tenant_id,
            agent_id=agent_id,
            task_ids=list(items),
            items=list(items.values()),
            kind=kind,
            votes=votes,
            at=at,
        )

    async def lease(
        self,
        tx: Tx,
        tenant_id: str,
        agent_id: str,
        reviewer: str,
        *,
        now: datetime,
        until: datetime,
    ) -> Row | None:
        """The reviewer's task, leased; None: there is none for them."""
        row = await self._queries.lease_review_task(
            tx, tenant_id=tenant_id, agent_id=agent_id, reviewer=reviewer, now=now, until=until
        )
        return None if row is None else dict(row)

    async def find_leased(
        self, tx: Tx, tenant_id: str, agent_id: str, reviewer: str, after: datetime
    ) -> Row | None:
        """The task that the reviewer has until after that time; None: none."""
        row = await self._queries.find_leased_task(
            tx, tenant_id=tenant_id, agent_id=agent_id, reviewer=reviewer, after=after
        )
        return None if row is None else dict(row)

    async def lock(self, tx: Tx, tenant_id: str, task_id: UUID) -> Row | None:
        row = await self._queries.lock_review_task(tx, tenant_id=tenant_id, task_id=task_id)
        return None if row is None else dict(row)

    async def add_review(
        self,
        tx: Tx,
        tenant_id: str,
        task: Row,
        reviewer: str,
        *,
        choice: str | None,
        comment: str,
        at: datetime,
    ) -> None:
        """Keep a choice, or with None that it was skipped, and end the lease."""
        await self._queries.insert_review(
            tx,
            task_id=task["task_id"],
            tenant_id=tenant_id,
            agent_id=task["agent_id"],
            reviewer=reviewer,
            choice=choice,
            comment=comment,
            at=at,
        )
        await self._queries.end_review_lease(
            tx, tenant_id=tenant_id, task_id=task["task_id"], added=int(choice is not None)
        )

    async def undo(
        self,
        tx: Tx,
        tenant_id: str,
        agent_id: str,
        reviewer: str,
        *,
        since: datetime,
        until: datetime,
    ) -> UUID | None:
        """Remove the reviewer's newest review and lease its task to them; None: there is none."""
        row = await self._queries.delete_last_review(
            tx, tenant_id=tenant_id, agent_id=agent_id, reviewer=reviewer, since=since
        )
        if row is None:
            return None
        task_id: UUID = row["task_id"]
        await self._queries.lease_undone_task(
            tx,
            tenant_id=tenant_id,
            task_id=task_id,
            reviewer=reviewer,
            until=until,
            removed=int(row["choice"] is not None),
        )
        return task_id

    async def count(self, tx: Tx, tenant_id: str, agent_id: str) -> list[Row]:
        rows = self._queries.count_review_tasks(tx, tenant_id=tenant_id, agent_id=agent_id)
        return [dict(row) async for row in rows]

    async def reviews(self, tx: Tx, tenant_id: str, agent_id: str, most: int) -> Sequence[Row]:
        """The newest reviews with a choice."""
        rows = self._queries.list_reviews(tx, tenant_id=tenant_id, agent_id=agent_id, most=most)
        return [dict(row) async for row in rows]
