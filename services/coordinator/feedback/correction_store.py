"""The feedback of the fast path, typed: one method per query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from services.coordinator.domain import AgentKey
from services.coordinator.feedback.stats import StoredFeedback
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries


class CorrectionStore:
    """What updates have of an agent's feedback. Whoever claims holds the statistics' lock."""

    def __init__(self) -> None:
        self._queries = load_queries("services.coordinator")

    async def open_corrections(
        self, tx: Tx, key: AgentKey, *, most: int
    ) -> list[tuple[StoredFeedback, str | None]]:
        """Unused wrong answers that no update has had, newest first, with their traceparents."""
        rows = self._queries.open_corrections(tx, **_place(key), most=most)
        return [_stored(row) async for row in rows]

    async def items_of_raters(self, tx: Tx, key: AgentKey, since: datetime) -> dict[str, int]:
        """How many items of each rater updates have had since then."""
        rows = self._queries.fast_items_of_raters(tx, **_place(key), since=since)
        return {row["rater"]: row["items"] async for row in rows}

    async def claim_corrections(
        self,
        tx: Tx,
        key: AgentKey,
        update_id: UUID,
        items: Sequence[tuple[UUID, str]],
        now: datetime,
    ) -> None:
        """Give items, each with its rater, to an update. They stay unused feedback."""
        await self._queries.insert_fast_items(
            tx,
            **_place(key),
            update_id=update_id,
            event_ids=[event_id for event_id, _ in items],
            raters=[rater for _, rater in items],
            now=now,
        )

    async def record_update(
        self, tx: Tx, key: AgentKey, *, sequence: int, corrections: int
    ) -> None:
        """Note the number of updates, and the corrections left to look at."""
        await self._queries.record_update(
            tx, **_place(key), sequence=sequence, corrections=corrections
        )

    async def update_feedback(self, tx: Tx, update_id: UUID) -> list[StoredFeedback]:
        """What an update learns, oldest first, without what was retracted since."""
        rows = self._queries.update_feedback(tx, update_id=update_id)
        return [StoredFeedback(**row) async for row in rows]

    async def count_refused_update(self, tx: Tx, key: AgentKey, now: datetime) -> None:
        """An update of the agent gave no version."""
        await self._queries.count_refused_update(tx, **_place(key), now=now)

    async def reset_refused_updates(self, tx: Tx, key: AgentKey) -> None:
        """A version was deployed: refused updates no longer delay the next update."""
        await self._queries.reset_refused_updates(tx, **_place(key))


def _place(key: AgentKey) -> dict[str, str]:
    return {"tenant_id": key.tenant_id, "agent_id": key.agent_id}


def _stored(row: Mapping[str, Any]) -> tuple[StoredFeedback, str | None]:
    columns = dict(row)
    traceparent = columns.pop("traceparent")
    return StoredFeedback(**columns), traceparent
