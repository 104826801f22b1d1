"""The hot path: a batch of feedback records becomes rows, counters and, perhaps, a retrain.

Offsets are committed after the transactions, so a crash repeats a batch, and the unique ids make
the repetition a no-op.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from opentelemetry import metrics

from archon_contracts import telemetry
from archon_contracts.commands import EraseItems
from archon_contracts.events import FeedbackErased
from archon_contracts.triggers import ObservedAnswer
from services.coordinator.domain import AgentKey
from services.coordinator.errors import UnknownAgent
from services.coordinator.feedback.counting import FeedbackCounter
from services.coordinator.feedback.known_agents import ConfiguredAgentsCache
from services.coordinator.feedback.ports import FeedbackOutbox, FeedbackRecords, Triggers
from services.coordinator.feedback.records import (
    FeedbackBatch,
    FeedbackItem,
    FeedbackRow,
    InternalRecord,
    RetractionRow,
    split_at_retractions,
)
from services.coordinator.feedback.stats import FeedbackStats, NewIds
from shared.errors import PermanentError
from shared.kafka.retry_policy import report_dead_letter
from shared.logging import get_logger
from shared.messaging.gateway_mac import GatewayMac
from shared.messaging.messages import Cause, RawRecord
from shared.messaging.notifier import Notifier
from shared.ports import Clock
from shared.postgres.database import Database, Tx
from shared.telemetry.counters import counter_from_zero

TRANSACTION_RECORDS: Final = 8_000
"""Records in one transaction."""
ERASED_IN_ONE_EVENT: Final = 100
"""Ids of up to 256 characters each: an event has 64 KiB."""
PARSE_SLICE: Final = 64
"""Records read before others get their turn in the loop."""

log = get_logger(__name__)
meter = metrics.get_meter(__name__)
stored_counter = counter_from_zero(meter, telemetry.METRIC_FEEDBACK_STORED, "{event}")
duplicate_counter = counter_from_zero(meter, telemetry.METRIC_FEEDBACK_DUPLICATES, "{event}")
internal_counter = meter.create_counter(telemetry.METRIC_FEEDBACK_INTERNAL, unit="{event}")


class FeedbackWriter:
    """Stores what was read, and begins the retrains that it makes due."""

    def __init__(
        self, feedback: FeedbackRecords, triggers: Triggers, outbox: FeedbackOutbox, clock: Clock
    ) -> None:
        self._feedback = feedback
        self._triggers = triggers
        self._outbox = outbox
        self._clock = clock

    async def store(self, tx: Tx, batch: FeedbackBatch) -> None:
        """Settle every record of a read batch in the caller's transaction."""
        for record, error in batch.rejected:
            await self._reject(tx, record, error)
        if batch.internal:
            await self._record_internal(tx, batch.internal)
        items = [item for _, item in batch.items]
        if not items:
            return
        # All locks at once and in one order: two batches with the same agents would deadlock.
        agents = await self._feedback.lock_all_stats(tx, {item.key for item in items})
        answers = defaultdict[AgentKey, list[ObservedAnswer]](list)
        changed = await self._store_items(tx, items, agents, answers)
        newest = {AgentKey(stats.tenant_id, stats.agent_id): stats for _, stats in changed}
        # A retraction changes a mean without new evidence: only added feedback may begin a retrain.
        added = {AgentKey(t.tenant_id, t.agent_id) for is_new, t in changed if is_new}
        evaluated = [stats for key, stats in newest.items() if key in added]
        await self._triggers.evaluate_triggers(tx, evaluated, answers)
        for key, stats in newest.items():
            if key not in added and stats.withdrawals:
                await self._triggers.evaluate_withdrawal(tx, stats)

    async def _store_items(
        self,
        tx: Tx,
        items: Sequence[FeedbackItem],
        agents: Mapping[AgentKey, int],
        answers: defaultdict[AgentKey, list[ObservedAnswer]],
    ) -> list[tuple[bool, FeedbackStats]]:
        """The statistics after each change, in order, and whether something was added.

        A retraction concerns what came before. Rated answers that are new are added to `answers`.
        """
        now, changed = self._clock.now(), list[tuple[bool, FeedbackStats]]()
        counter = FeedbackCounter(now)
        for group in split_at_retractions(items):
            if group.feedback:
                inserted = await self._feedback.insert_feedback(tx, group.feedback, agents, now)
                stored_counter.add(inserted.stored)
                duplicate_counter.add(len(group.feedback) - inserted.stored)
                counter.add_feedback(group.feedback, inserted.new_ids)
                add_rated_answers(answers, group.feedback, inserted.new_ids)
                changed += [(True, stats) for stats in inserted.stats]
            if group.interactions:
                new_ids = await self._feedback.insert_interactions(tx, group.interactions, now)
                counter.add_interactions(group.interactions, new_ids)
            if group.retractions:
                result = await self._feedback.retract(tx, group.retractions, now)
                for row in group.retractions:
                    counter.add_retraction(row, is_new=row.event_id in result.new_ids)
                changed += [(False, result.stats)] if result.stats else []
                await self._request_erasure(tx, group.retractions[-1], result.claimed_ids)
                new = [row for row in group.retractions if row.event_id in result.new_ids]
                await self._publish_erasure(tx, new)
        if counted := counter.encode():
            await self._feedback.add_pending_counts(tx, counted)
        return changed

    async def _request_erasure(
        self, tx: Tx, retraction: RetractionRow, used: Sequence[UUID]
    ) -> None:
        """Have data preparation erase what a window had claimed: it may have been exported."""
        if used:
            command = EraseItems(
                tenant_id=retraction.key.tenant_id,
                agent_id=retraction.key.agent_id,
                item_ids=tuple(map(str, used)),
            )
            cause = Cause(retraction.event_id, str(retraction.event_id))
            await self._outbox.append(tx, command, cause=cause)

    async def _publish_erasure(self, tx: Tx, retractions: Sequence[RetractionRow]) -> None:
        """Say what was retracted, of one agent: analyses of its log may quote it."""
        ids = list(dict.fromkeys(row.interaction_id for row in retractions))
        for start in range(0, len(ids), ERASED_IN_ONE_EVENT):
            first = retractions[0]
            erased = FeedbackErased(
                tenant_id=first.key.tenant_id,
                agent_id=first.key.agent_id,
                interaction_ids=tuple(ids[start : start + ERASED_IN_ONE_EVENT]),
            )
            cause = Cause(first.event_id, str(first.event_id))
            await self._outbox.append(tx, erased, cause=cause, part=str(start))

    async def _record_internal(
        self, tx: Tx, traffic: Sequence[tuple[RawRecord, InternalRecord]]
    ) -> None:
        """Record internal traffic, which never begins a retrain; one log line a batch."""
        new = await self._feedback.record_internal_traffic(tx, traffic, self._clock.now())
        marks = Counter((each.traffic_class, each.signal) for _, each in traffic)
        for (traffic_class, signal), count in marks.items():
            internal_counter.add(count, {"traffic_class": traffic_class, "signal": signal})
        traffic_classes = sorted({traffic_class for traffic_class, _ in marks})
        log.info(
            "internal_traffic_recorded",
            new=new,
            records=len(traffic),
            traffic_classes=traffic_classes,
        )

    async def _reject(self, tx: Tx, record: RawRecord, error: PermanentError) -> None:
        if not await self._outbox.append_dead_letter(tx, record, error=error, attempts=1):
            return  # its batch came again
        report_dead_letter(record, error)


def add_rated_answers(
    answers: defaultdict[AgentKey, list[ObservedAnswer]],
    rows: Sequence[FeedbackRow],
    new_ids: NewIds | None,
) -> None:
    """What new rows say of answers, in their order; a row that came again says nothing."""
    for row in rows:
        if (row.correct is not None or row.rating is not None) and (
            new_ids is None or (row.key.tenant_id, row.event_id) in new_ids
        ):
            rater = f"{row.source} {row.submitted_by}"
            answer = ObservedAnswer(row.correct, row.rating, row.model_version, rater)
            answers[row.key].append(answer)


class FeedbackConsumer:
    """Consumes batches. This and the sweeper open transactions of their own: they have no inbox."""

    def __init__(
        self,
        database: Database,
        notifier: Notifier,
        agents: ConfiguredAgentsCache,
        writer: FeedbackWriter,
        *,
        maximum_bytes: int,
        mac: GatewayMac | None = None,
        part: int = TRANSACTION_RECORDS,
    ) -> None:
        self._database = database
        self._notifier = notifier
        self._agents = agents
        self._writer = writer
        self._maximum_bytes = maximum_bytes
        self._mac = mac
        self._part = part

    async def consume(self, records: Sequence[RawRecord]) -> None:
        """Settle every record of the batch: stored, known already, a dead letter, or recorded as
        internal traffic.

        A part is read while PostgreSQL works on the part before it.

        Raises:
            RetryableError: the batch must come again; parts that were committed stay so.
        """
        read: FeedbackBatch | None = None
        for start in range(0, len(records), self._part):
            following = self._read(records[start : start + self._part])
            if read is None:
                read = await following
            else:
                _, read = await asyncio.gather(self._settle(read), following)
        if read is not None:
            await self._settle(read)

    async def _read(self, records: Sequence[RawRecord]) -> FeedbackBatch:
        batch = FeedbackBatch()
        for start in range(0, len(records), PARSE_SLICE):
            batch.parse(
                records[start : start + PARSE_SLICE],
                maximum_bytes=self._maximum_bytes,
                mac=self._mac,
            )
            await asyncio.sleep(0)  # the database and the group's heartbeat get their turn
        return batch

    async def _settle(self, batch: FeedbackBatch) -> None:
        await self._reject_unknown_agents(batch)
        try:
            async with self._database.across_tenants() as tx:
                await self._writer.store(tx, batch)
        except PermanentError as error:
            await self._isolate(batch, error)
        self._notifier.notify()

    async def _reject_unknown_agents(self, batch: FeedbackBatch) -> None:
        unknown = await self._agents.missing({item.key for _, item in batch.items})
        if not unknown:
            return
        kept = []
        for record, item in batch.items:
            if item.key in unknown:
                reason = f"agent {item.key.agent_id} is not configured; configure it, then replay"
                batch.rejected.append((record, UnknownAgent(reason)))
            else:
                kept.append((record, item))
        batch.items = kept

    async def _isolate(self, batch: FeedbackBatch, error: PermanentError) -> None:
        """The database refused the batch: find the record at fault, and settle the others."""
        items, own = batch.items, batch.internal
        if items and own:
            await self._settle(FeedbackBatch(items=items))
            await self._settle(FeedbackBatch(rejected=batch.rejected, internal=own))
        elif len(items) > 1:
            middle = len(items) // 2
            await self._settle(FeedbackBatch(items[:middle], batch.rejected))
            await self._settle(FeedbackBatch(items[middle:]))
        elif len(own) > 1:
            middle = len(own) // 2
            await self._settle(FeedbackBatch(rejected=batch.rejected, internal=own[:middle]))
            await self._settle(FeedbackBatch(internal=own[middle:]))
        elif items or own:
            record, _ = (items or own)[0]
            await self._settle(FeedbackBatch(rejected=[*batch.rejected, (record, error)]))
        else:
            raise error
