"""Feedback, tallies and windows, typed: one method per query."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from services.coordinator.domain import AgentKey, Claim, Window
from services.coordinator.feedback.records import Interaction, Judgement, Retraction, SystemTraffic
from services.coordinator.retraining.triggers import Erased, Tally
from services.coordinator.retraining.window_export import StoredJudgement
from shared.messaging.messages import RawRecord
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries


class FeedbackStore:
    """All of an agent's feedback is reached by its key, under its tally's lock."""

    def __init__(self) -> None:
        self._queries = load_queries("services.coordinator")

    async def known(self, tx: Tx, keys: Collection[AgentKey]) -> set[AgentKey]:
        """Those of the agents that are configured."""
        rows = self._queries.known_agents(tx, **_arrays(keys))
        return {AgentKey(row["tenant_id"], row["agent_id"]) async for row in rows}

    async def lock_tallies(self, tx: Tx, keys: Collection[AgentKey]) -> dict[AgentKey, int]:
        """Lock the agents' tallies, in the order of their keys; returns the agents' numbers."""
        rows = self._queries.lock_tallies(tx, **_arrays(keys))
        return {AgentKey(row[0], row[1]): row[2] async for row in rows}

    async def lock_tally(self, tx: Tx, key: AgentKey) -> Tally | None:
        """One agent's tally, locked; None when it is not configured."""
        row = await self._queries.lock_tally(tx, tenant_id=key.tenant_id, agent_id=key.agent_id)
        return _tally(row) if row else None

    async def lock_due_tally(self, tx: Tx, now: datetime) -> Tally | None:
        """A tally whose time to look again has come; one that is locked is passed over."""
        row = await self._queries.lock_due_tally(tx, now=now)
        return _tally(row) if row else None

    async def set_check(self, tx: Tx, key: AgentKey, check_at: datetime | None) -> None:
        """When to look at the agent again though no feedback comes."""
        await self._queries.set_check(
            tx, tenant_id=key.tenant_id, agent_id=key.agent_id, check_at=check_at
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

    async def count_refusal(self, tx: Tx, key: AgentKey, now: datetime) -> None:
        """A retrain of the agent was in vain."""
        await self._queries.count_refusal(
            tx, tenant_id=key.tenant_id, agent_id=key.agent_id, now=now
        )

    async def forget_refusals(self, tx: Tx, key: AgentKey) -> None:
        """No retrain of the agent was in vain since the last deployment."""
        await self._queries.forget_refusals(tx, tenant_id=key.tenant_id, agent_id=key.agent_id)

    async def insert_judgements(
        self,
        tx: Tx,
        judgements: Sequence[Judgement],
        agents: Mapping[AgentKey, int],
        received_at: datetime,
    ) -> tuple[int, list[Tally]]:
        """Store what is new of them; returns how many, and the tallies that changed.

        The driver copies rows at half the cost of encoding arrays of columns.
        """
        records = [(agents[row[0]], *row[1:], place) for place, row in enumerate(judgements)]
        await self._queries.make_incoming(tx)
        await tx.copy_records_to_table("incoming", records=records)
        stored = self._queries.store_incoming(tx, received_at=received_at)
        rows = [row async for row in stored]
        return sum(row["added"] for row in rows), [_tally(row) for row in rows]

    async def insert_interactions(
        self, tx: Tx, interactions: Sequence[Interaction], received_at: datetime
    ) -> None:
        """Store and count what is new of them."""
        keys, event_ids, bodies = zip(*interactions, strict=True)
        await self._queries.insert_interactions(
            tx, **_arrays(keys), event_ids=event_ids, bodies=bodies, received_at=received_at
        )

    async def prune_interactions(self, tx: Tx, before: datetime) -> None:
        """Forget answers that nobody judged for long, and which traffic was the system's own."""
        await self._queries.prune_interactions(tx, before=before)
        await self._queries.prune_system_traffic(tx, before=before)

    async def note_system_traffic(
        self,
        tx: Tx,
        traffic: Sequence[tuple[RawRecord, SystemTraffic]],
        received_at: datetime,
    ) -> int:
        """Note what the system caused itself, each event once; returns how many are new."""
        records, noted = zip(*traffic, strict=True)
        rows = self._queries.insert_system_traffic(
            tx,
            **_arrays([each.key for each in noted]),
            event_ids=[each.event_id for each in noted],
            kinds=[each.kind for each in noted],
            purposes=[each.purpose for each in noted],
            signs=[each.sign for each in noted],
            partitions=[record.partition for record in records],
            offsets=[record.offset for record in records],
            received_at=received_at,
        )
        return len([row async for row in rows])

    async def retract(self, tx: Tx, retraction: Retraction, now: datetime) -> Erased:
        """Erase what it names, once."""
        place = {"tenant_id": retraction.key.tenant_id, "agent_id": retraction.key.agent_id}
        named = {"interaction_id": retraction.interaction_id, "source": retraction.source}
        if not await self._queries.insert_retraction(
            tx,
            **place,
            **named,
            event_id=retraction.event_id,
            reason=retraction.reason,
            received_at=now,
        ):
            return Erased()
        erased = await self._queries.erase_feedback(tx, **place, **named, now=now)
        used = tuple(erased["used"])
        if not erased["unused"]:
            return Erased(used)
        row = await self._queries.take_from_tally(
            tx,
            **place,
            taken=erased["unused"],
            rated=erased["rated"],
            rating_sum=erased["rating_sum"],
        )
        return Erased(used, _tally(row))

    async def claim(self, tx: Tx, key: AgentKey, window_id: UUID, maximum: int) -> Claim:
        """Give the oldest unused judgements to the window. The caller holds the tally's lock."""
        place = {"tenant_id": key.tenant_id, "agent_id": key.agent_id}
        row = await self._queries.claim_feedback(tx, **place, window_id=window_id, maximum=maximum)
        claim = Claim(**row)
        await self._queries.take_from_tally(
            tx,
            **place,
            taken=claim.feedback_count,
            rated=claim.rated,
            rating_sum=claim.rating_sum,
        )
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
        await self._queries.remember_window(
            tx,
            **place,
            sequence=window.sequence,
            now=now,
            reference_rated=reference[0],
            reference_rating_sum=reference[1],
        )

    async def window_feedback(self, tx: Tx, window_id: UUID) -> list[StoredJudgement]:
        """The window's judgements that were not retracted, oldest first."""
        rows = self._queries.window_feedback(tx, window_id=window_id)
        return [StoredJudgement(**row) async for row in rows]

    async def window_contexts(self, tx: Tx, window_id: UUID, *, most: int) -> list[str]:
        """Distinct traceparents of the window's judgements, newest first."""
        rows = self._queries.window_contexts(tx, window_id=window_id, most=most)
        return [row["traceparent"] async for row in rows]


def _arrays(keys: Collection[AgentKey]) -> dict[str, list[str]]:
    return {
        "tenant_ids": [key.tenant_id for key in keys],
        "agent_ids": [key.agent_id for key in keys],
    }


def _tally(row: Mapping[str, Any]) -> Tally:
    return Tally(
        tenant_id=row["tenant_id"],
        agent_id=row["agent_id"],
        profile_revision=row["profile_revision"],
        unused=row["unused"],
        rated=row["rated"],
        rating_sum=row["rating_sum"],
        oldest_unused_at=row["oldest_unused_at"],
        reference_rated=row["reference_rated"],
        reference_rating_sum=row["reference_rating_sum"],
        windows=row["windows"],
        last_window_at=row["last_window_at"],
        refusals=row["refusals"],
        refused_at=row["refused_at"],
        busy=row["open_job_id"] is not None,
        check_at=row["check_at"],
    )
