"""Feedback, feedback_stats and windows, typed: one method per query."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from archon_contracts.identifiers import derived_id
from archon_contracts.triggers import StreamState
from services.coordinator.domain import AgentKey, Window, WindowClaim
from services.coordinator.feedback.records import (
    FeedbackRow,
    InteractionRow,
    InternalRecord,
    RetractionRow,
)
from services.coordinator.feedback.stats import (
    FeedbackStats,
    InsertResult,
    NewIds,
    RetractionResult,
    StoredFeedback,
)
from shared.messaging.messages import RawRecord
from shared.postgres.database import Tx, savepoint
from shared.postgres.queries import load_queries

MAX_WINDOW_BYTES: Final = 64 * 2**20
"""Bodies of one window; the rest is for the next one."""
EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
"""Before every row: where the first page begins."""
STORED_COLUMNS: Final = FeedbackRow._fields.index("submitted_by") + 1
"""Leading fields of a row that are columns of the table."""


class FeedbackStore:
    """All of an agent's feedback is reached by its key, under its statistics' lock."""

    def __init__(self) -> None:
        self._queries = load_queries("services.coordinator")

    async def find_configured(self, tx: Tx, keys: Collection[AgentKey]) -> set[AgentKey]:
        """Those of the agents that are configured."""
        rows = self._queries.known_agents(tx, **_arrays(keys))
        return {AgentKey(row["tenant_id"], row["agent_id"]) async for row in rows}

    async def lock_all_stats(self, tx: Tx, keys: Collection[AgentKey]) -> dict[AgentKey, int]:
        """Lock the agents' feedback statistics, in the order of their keys; return the numbers."""
        rows = self._queries.lock_all_stats(tx, **_arrays(keys))
        return {AgentKey(row[0], row[1]): row[2] async for row in rows}

    async def lock_stats(self, tx: Tx, key: AgentKey) -> FeedbackStats | None:
        """One agent's statistics, locked; None when it is not configured."""
        row = await self._queries.lock_stats(tx, tenant_id=key.tenant_id, agent_id=key.agent_id)
        return FeedbackStats.of_row(row) if row else None

    async def lock_due_stats(self, tx: Tx, now: datetime) -> FeedbackStats | None:
        """Statistics that are due to be looked at again; a locked row is skipped."""
        row = await self._queries.lock_due_stats(tx, now=now)
        return FeedbackStats.of_row(row) if row else None

    async def set_check(self, tx: Tx, key: AgentKey, check_at: datetime | None) -> None:
        """When to look at the agent again though no feedback comes."""
        await self._queries.set_check(
            tx, tenant_id=key.tenant_id, agent_id=key.agent_id, check_at=check_at
        )

    async def set_stream(self, tx: Tx, key: AgentKey, stream: StreamState) -> None:
        """Keep what the agent's rated answers were so far."""
        await self._queries.set_stream(
            tx, tenant_id=key.tenant_id, agent_id=key.agent_id, stream=stream.to_json()
        )

    async def record_training_seconds(self, tx: Tx, key: AgentKey, seconds: float) -> None:
        """Add a training to what the agent's trainings took lately."""
        await self._queries.record_training_seconds(
            tx, tenant_id=key.tenant_id, agent_id=key.agent_id, seconds=seconds
        )

    async def set_open_job(self, tx: Tx, key: AgentKey, job_id: UUID) -> None:
        """The agent is busy with this job."""
        await self._queries.set_open_job(
            tx, tenant_id=key.tenant_id, agent_id=key.agent_id, job_id=job_id
        )

    async def clear_open_job(self, tx: Tx, key: AgentKey, job_id: UUID) -> None:
        """The agent is free again, if it was busy with this job."""
        await self._queries.clear_open_job(
            tx, tenant_id=key.tenant_id, agent_id=key.agent_id, job_id=job_id
        )

    async def count_unsuccessful_run(self, tx: Tx, key: AgentKey, now: datetime) -> None:
        """A retrain of the agent was unsuccessful."""
        await self._queries.count_unsuccessful_run(
            tx, tenant_id=key.tenant_id, agent_id=key.agent_id, now=now
        )

    async def reset_unsuccessful_runs(self, tx: Tx, key: AgentKey) -> None:
        """No retrain of the agent was unsuccessful since the last deployment."""
        await self._queries.reset_unsuccessful_runs(
            tx, tenant_id=key.tenant_id, agent_id=key.agent_id
        )

    async def insert_feedback(
        self,
        tx: Tx,
        feedback: Sequence[FeedbackRow],
        agents: Mapping[AgentKey, int],
        received_at: datetime,
    ) -> InsertResult:
        """Store what is new of them; return what it was, and the statistics that changed.

        What was retracted and is sent again after that is new: it is stored under an id of its own.
        """
        inserted = await self._insert(tx, feedback, agents, received_at)
        if inserted.new_ids is None:
            return inserted
        known = [
            row for row in feedback if (row.key.tenant_id, row.event_id) not in inserted.new_ids
        ]
        renewed = await self._renew(tx, known)
        if not renewed:
            return inserted
        again = await self._insert(tx, list(renewed.values()), agents, received_at)
        new_ids = again.new_ids
        came_as = {
            name
            for name, row in renewed.items()
            if new_ids is None or (row.key.tenant_id, row.event_id) in new_ids
        }
        return InsertResult(
            inserted.stored + again.stored,
            [*inserted.stats, *again.stats],
            inserted.new_ids | came_as,
        )

    async def _renew(
        self, tx: Tx, known: Sequence[FeedbackRow]
    ) -> dict[tuple[str, UUID], FeedbackRow]:
        """Those that follow a retraction of theirs, with a new id, by tenant and id as they came.

        The id comes from the retraction's place in the log: a redelivery gives the same one.
        """
        rows = self._queries.preceding_retractions(
            tx,
            **_arrays([row.key for row in known]),
            interaction_ids=[row.interaction_id for row in known],
            sources=[row.source for row in known],
            submitters=[row.submitted_by for row in known],
            annotator_ids=[row.annotator_id for row in known],
            partitions=[row.partition for row in known],
            offsets=[row.offset for row in known],
        )
        renewed: dict[tuple[str, UUID], FeedbackRow] = {}
        async for found in rows:
            row = known[found["place"] - 1]
            event_id = derived_id(
                "renewed", row.event_id, found["partition"], found["record_offset"]
            )
            name = (row.key.tenant_id, row.event_id)
            renewed.setdefault(name, row._replace(event_id=event_id))
        return renewed

    async def _insert(
        self,
        tx: Tx,
        feedback: Sequence[FeedbackRow],
        agents: Mapping[AgentKey, int],
        received_at: datetime,
    ) -> InsertResult:
        """The driver copies rows at half the cost of encoding arrays of columns."""
        records = [
            (agents[row[0]], *row[1:STORED_COLUMNS], place) for place, row in enumerate(feedback)
        ]
        await self._queries.create_incoming(tx)
        await tx.copy_records_to_table("incoming", records=records)
        stored = self._queries.store_incoming(tx, received_at=received_at, sent=len(feedback))
        rows = [row async for row in stored]
        added = sum(row["added"] for row in rows)
        new_ids = None
        if added < len(feedback):
            new_ids = frozenset(
                (row["tenant_id"], event_id) for row in rows for event_id in row["new_ids"]
            )
        return InsertResult(added, [FeedbackStats.of_row(row) for row in rows], new_ids)

    async def insert_interactions(
        self, tx: Tx, interactions: Sequence[InteractionRow], received_at: datetime
    ) -> NewIds | None:
        """Store and count what is new of them; None: all of it."""
        rows = self._queries.insert_interactions(
            tx,
            **_arrays([each.key for each in interactions]),
            event_ids=[each.event_id for each in interactions],
            bodies=[each.body for each in interactions],
            received_at=received_at,
        )
        stored = [row async for row in rows]
        if sum(row["added"] for row in stored) == len(interactions):
            return None
        return frozenset(
            (row["tenant_id"], event_id) for row in stored for event_id in row["new_ids"]
        )

    async def add_pending_counts(self, tx: Tx, counts: bytes) -> None:
        """Keep what the transaction counted until it is published."""
        await self._queries.insert_pending_counts(tx, counts=counts)

    async def claim_pending_counts(self, tx: Tx, most: int) -> list[bytes]:
        """Remove and return the oldest counts; they are the caller's to publish."""
        rows = self._queries.claim_pending_counts(tx, most=most)
        return [row["counts"] async for row in rows]

    async def unused_feedback(
        self, tx: Tx, keys: Collection[AgentKey]
    ) -> dict[AgentKey, tuple[int, datetime]]:
        """How much feedback of each agent is in no window, and when that was so."""
        rows = self._queries.unused_feedback(tx, **_arrays(list(keys)))
        return {AgentKey(r["tenant_id"], r["agent_id"]): (r["unused"], r["at"]) async for r in rows}

    async def prune_interactions(self, tx: Tx, before: datetime) -> None:
        """Delete old interactions without feedback, and old records of internal traffic."""
        await self._queries.prune_interactions(tx, before=before)
        await self._queries.prune_internal_traffic(tx, before=before)

    async def record_internal_traffic(
        self,
        tx: Tx,
        traffic: Sequence[tuple[RawRecord, InternalRecord]],
        received_at: datetime,
    ) -> int:
        """Record internal traffic, each event once; return how many are new."""
        records, noted = zip(*traffic, strict=True)
        rows = self._queries.insert_internal_traffic(
            tx,
            **_arrays([each.key for each in noted]),
            event_ids=[each.event_id for each in noted],
            kinds=[each.kind for each in noted],
            traffic_classes=[each.traffic_class for each in noted],
            signals=[each.signal for each in noted],
            partitions=[record.partition for record in records],
            offsets=[record.offset for record in records],
            received_at=received_at,
        )
        return len([row async for row in rows])

    async def retract(
        self, tx: Tx, retractions: Sequence[RetractionRow], now: datetime
    ) -> RetractionResult:
        """Erase what they name: its submitter's, or everybody's; each delivery from the log once.

        They are of one `RowGroup`. One look for all: unused feedback has no index by interaction.
        """
        first = retractions[0]
        place = {"tenant_id": first.key.tenant_id, "agent_id": first.key.agent_id}
        named = {
            "source": first.source,
            "submitted_by": first.submitted_by,
            "annotator_id": first.annotator_id,
        }
        # Of one that is there twice, the one further on in the log.
        given = list({row.event_id: row for row in retractions}.values())
        inserted = self._queries.insert_retractions(
            tx,
            **place,
            **named,
            event_ids=[row.event_id for row in given],
            interaction_ids=[row.interaction_id for row in given],
            reasons=[row.reason for row in given],
            partitions=[row.partition for row in given],
            offsets=[row.offset for row in given],
            received_at=now,
        )
        new = {row["event_id"]: row["interaction_id"] async for row in inserted}
        if not new:
            return RetractionResult()
        ids, interactions = frozenset(new), sorted(set(new.values()))
        erased = await self._queries.erase_feedback(
            tx, **place, **named, interaction_ids=interactions, now=now
        )
        used, row = tuple(erased["claimed_ids"]), None
        if used:
            row = await self._queries.record_withdrawals(tx, **place, event_ids=used, now=now)
        if not erased["unused"]:
            return RetractionResult(used, FeedbackStats.of_row(row) if row else None, ids)
        row = await self._queries.subtract_from_stats(
            tx,
            **place,
            taken=erased["unused"],
            rated=erased["rated"],
            rating_sum=erased["rating_sum"],
        )
        await self._queries.add_unchanged_counts(tx, **place)
        return RetractionResult(used, FeedbackStats.of_row(row), ids)

    def savepoint(self, tx: Tx) -> AbstractAsyncContextManager[None]:
        """A part of the transaction that is undone by itself when it fails."""
        return savepoint(tx)

    async def claim(self, tx: Tx, key: AgentKey, window_id: UUID, maximum: int) -> WindowClaim:
        """Give the oldest unused feedback to the window. The caller holds the statistics' lock."""
        place = {"tenant_id": key.tenant_id, "agent_id": key.agent_id}
        row = await self._queries.claim_feedback(
            tx, **place, window_id=window_id, maximum=maximum, maximum_bytes=MAX_WINDOW_BYTES
        )
        claim = WindowClaim(**row)
        await self._queries.subtract_from_stats(
            tx,
            **place,
            taken=claim.feedback_count,
            rated=claim.rated,
            rating_sum=claim.rating_sum,
        )
        await self._queries.add_unchanged_counts(tx, **place)
        return claim

    async def insert_window(
        self, tx: Tx, window: Window, reference: tuple[int, float], now: datetime
    ) -> None:
        """Keep the window; later ratings are compared with `reference`, a count and a sum."""
        place = {"tenant_id": window.key.tenant_id, "agent_id": window.key.agent_id}
        await self._queries.insert_window(
            tx,
            **place,
            window_id=window.window_id,
            sequence=window.sequence,
            reason=window.reason,
            feedback_count=window.claim.feedback_count,
            feedback_digest=window.claim.feedback_digest,
            now=now,
        )
        await self._queries.record_window(
            tx,
            **place,
            sequence=window.sequence,
            now=now,
            previous_rated=reference[0],
            previous_rating_sum=reference[1],
        )

    async def window_feedback(
        self, tx: Tx, window_id: UUID, *, after: StoredFeedback | None = None, limit: int
    ) -> list[StoredFeedback]:
        """A page of the window's feedback that was not retracted, oldest first; no annotations."""
        rows = self._queries.window_feedback(
            tx,
            window_id=window_id,
            after_received_at=after.received_at if after else EARLIEST,
            after_event_id=after.event_id if after else UUID(int=0),
            limit=limit,
        )
        return [StoredFeedback(**row) async for row in rows]

    async def interaction_bodies(
        self, tx: Tx, key: AgentKey, event_ids: Collection[UUID]
    ) -> dict[UUID, bytes]:
        """The bodies of logged interactions by their event ids; without those not kept."""
        rows = self._queries.interaction_bodies(
            tx, tenant_id=key.tenant_id, agent_id=key.agent_id, event_ids=list(event_ids)
        )
        return {row["event_id"]: row["body"] async for row in rows}

    async def window_annotations(
        self, tx: Tx, window_id: UUID, *, after_item: str = "", limit: int
    ) -> list[StoredFeedback]:
        """All annotations of the next `limit` items of the window, item by item."""
        rows = self._queries.window_annotations(
            tx, window_id=window_id, after_item=after_item, limit=limit
        )
        return [StoredFeedback(**row) async for row in rows]

    async def window_contexts(self, tx: Tx, window_id: UUID, *, most: int) -> list[str]:
        """Distinct traceparents of the window's feedback, newest first."""
        rows = self._queries.window_contexts(tx, window_id=window_id, most=most)
        return [row["traceparent"] async for row in rows]


def _arrays(keys: Collection[AgentKey]) -> dict[str, list[str]]:
    return {
        "tenant_ids": [key.tenant_id for key in keys],
        "agent_ids": [key.agent_id for key in keys],
    }
