"""The hot path: a batch of feedback records becomes rows, counters and, perhaps, a retrain.

Offsets are committed after the transactions, so a crash repeats a batch, and the unique ids make
the repetition a no-op.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from opentelemetry import metrics

from archon_contracts import telemetry
from archon_contracts.base import Contract
from archon_contracts.commands import ForgetItems
from services.coordinator.domain import AgentKey
from services.coordinator.errors import UnknownAgent
from services.coordinator.feedback.known_agents import KnownAgents
from services.coordinator.feedback.records import (
    Batch,
    Interaction,
    Item,
    Judgement,
    Retraction,
    SystemTraffic,
    runs_of,
)
from services.coordinator.retraining.triggers import Erased, Tally
from shared.clock import Clock
from shared.errors import PermanentError
from shared.logging import get_logger
from shared.messaging.messages import Cause, RawRecord
from shared.messaging.notifier import Wakeups
from shared.postgres.database import Database, Tx

PART: Final = 4_000
"""Records in one transaction."""
SLICE: Final = 64
"""Records read before others get their turn in the loop."""

log = get_logger(__name__)
meter = metrics.get_meter(__name__)
stored_counter = meter.create_counter(telemetry.METRIC_FEEDBACK_STORED, unit="{event}")
duplicate_counter = meter.create_counter(telemetry.METRIC_FEEDBACK_DUPLICATES, unit="{event}")
own_counter = meter.create_counter(telemetry.METRIC_FEEDBACK_SYSTEM, unit="{event}")
dead_letter_counter = meter.create_counter(telemetry.METRIC_DEAD_LETTERS, unit="{message}")


class Feedback(Protocol):
    """Feedback and tallies; each method is one statement, whatever the batch's size."""

    async def lock_tallies(self, tx: Tx, keys: Collection[AgentKey]) -> dict[AgentKey, int]: ...

    async def insert_judgements(
        self,
        tx: Tx,
        judgements: Sequence[Judgement],
        agents: Mapping[AgentKey, int],
        received_at: datetime,
    ) -> tuple[int, list[Tally]]: ...

    async def insert_interactions(
        self, tx: Tx, interactions: Sequence[Interaction], received_at: datetime
    ) -> None: ...

    async def retract(self, tx: Tx, retraction: Retraction, now: datetime) -> Erased: ...

    async def note_system_traffic(
        self,
        tx: Tx,
        traffic: Sequence[tuple[RawRecord, SystemTraffic]],
        received_at: datetime,
    ) -> int: ...


class Outbox(Protocol):
    """Queues commands, and refused records with their reasons."""

    async def append(self, tx: Tx, body: Contract, *, cause: Cause, part: str = "") -> UUID: ...

    async def append_dead_letter(
        self, tx: Tx, record: RawRecord, *, error: Exception, attempts: int
    ) -> bool: ...


class Triggers(Protocol):
    """Begins a retrain when a tally asks for one."""

    async def consider(self, tx: Tx, tally: Tally) -> None: ...


class Ledger:
    """Stores what was read, and begins the retrains that it makes due."""

    def __init__(
        self, feedback: Feedback, triggers: Triggers, outbox: Outbox, clock: Clock
    ) -> None:
        self._feedback = feedback
        self._triggers = triggers
        self._outbox = outbox
        self._clock = clock

    async def store(self, tx: Tx, batch: Batch) -> None:
        """Settle every record of a read batch in the caller's transaction."""
        for record, error in batch.refused:
            await self._refuse(tx, record, error)
        if batch.own:
            await self._note_own(tx, batch.own)
        items = [item for _, item in batch.items]
        if not items:
            return
        agents = await self._feedback.lock_tallies(tx, {item.key for item in items})
        changed = await self._store_items(tx, items, agents)
        newest = {AgentKey(tally.tenant_id, tally.agent_id): tally for _, tally in changed}
        # A withdrawal lowers or lifts a mean, but tells nothing new: only what was added begins.
        added = {AgentKey(t.tenant_id, t.agent_id) for is_new, t in changed if is_new}
        for key, tally in newest.items():
            if key in added:
                await self._triggers.consider(tx, tally)

    async def _store_items(
        self, tx: Tx, items: Sequence[Item], agents: Mapping[AgentKey, int]
    ) -> list[tuple[bool, Tally]]:
        """Every tally as each change left it, in order, and whether something was added.

        A retraction concerns what came before.
        """
        now, changed = self._clock.now(), list[tuple[bool, Tally]]()
        for run in runs_of(items):
            if run.judgements:
                stored, tallies = await self._feedback.insert_judgements(
                    tx, run.judgements, agents, now
                )
                stored_counter.add(stored)
                duplicate_counter.add(len(run.judgements) - stored)
                changed += [(True, tally) for tally in tallies]
            if run.interactions:
                await self._feedback.insert_interactions(tx, run.interactions, now)
            if run.retraction is not None:
                erased = await self._feedback.retract(tx, run.retraction, now)
                changed += [(False, erased.tally)] if erased.tally else []
                await self._have_forgotten(tx, run.retraction, erased.used)
        return changed

    async def _have_forgotten(self, tx: Tx, retraction: Retraction, used: Sequence[UUID]) -> None:
        """What a window took may have been handed on already: it must go there too."""
        if used:
            order = ForgetItems(
                tenant_id=retraction.key.tenant_id,
                agent_id=retraction.key.agent_id,
                item_ids=tuple(map(str, used)),
            )
            cause = Cause(retraction.event_id, str(retraction.event_id))
            await self._outbox.append(tx, order, cause=cause)

    async def _note_own(self, tx: Tx, traffic: Sequence[tuple[RawRecord, SystemTraffic]]) -> None:
        """The system's own traffic begins nothing, but it can be seen; one log line a batch."""
        new = await self._feedback.note_system_traffic(tx, traffic, self._clock.now())
        marks = Counter((each.purpose, each.sign) for _, each in traffic)
        for (purpose, sign), count in marks.items():
            own_counter.add(count, {"purpose": purpose, "sign": sign})
        purposes = sorted({purpose for purpose, _ in marks})
        log.info("system_traffic_noted", new=new, records=len(traffic), purposes=purposes)

    async def _refuse(self, tx: Tx, record: RawRecord, error: PermanentError) -> None:
        if not await self._outbox.append_dead_letter(tx, record, error=error, attempts=1):
            return  # its batch came again
        log.error(
            "dead_letter",
            reason=str(error),
            error_type=type(error).__name__,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
        )
        dead_letter_counter.add(1, {"topic": record.topic, "error": type(error).__name__})


class Intake:
    """Takes batches in. This and the sweeper open transactions of their own: they have no inbox."""

    def __init__(
        self,
        database: Database,
        wakeups: Wakeups,
        agents: KnownAgents,
        ledger: Ledger,
        *,
        maximum_bytes: int,
        part: int = PART,
    ) -> None:
        self._database = database
        self._wakeups = wakeups
        self._agents = agents
        self._ledger = ledger
        self._maximum_bytes = maximum_bytes
        self._part = part

    async def take(self, records: Sequence[RawRecord]) -> None:
        """Settle every record of the batch: stored, known already, a dead letter, or noted as
        traffic of the system's own.

        A part is read while PostgreSQL works on the part before it.

        Raises:
            RetryableError: the batch must come again; parts that were committed stay so.
        """
        read: Batch | None = None
        for start in range(0, len(records), self._part):
            following = self._read(records[start : start + self._part])
            if read is None:
                read = await following
            else:
                _, read = await asyncio.gather(self._settle(read), following)
        if read is not None:
            await self._settle(read)

    async def _read(self, records: Sequence[RawRecord]) -> Batch:
        batch = Batch()
        for start in range(0, len(records), SLICE):
            batch.read(records[start : start + SLICE], maximum_bytes=self._maximum_bytes)
            await asyncio.sleep(0)  # the database and the group's heartbeat get their turn
        return batch

    async def _settle(self, batch: Batch) -> None:
        await self._refuse_unknown_agents(batch)
        try:
            async with self._database.across_tenants() as tx:
                await self._ledger.store(tx, batch)
        except PermanentError as error:
            await self._isolate(batch, error)
        self._wakeups.ring()

    async def _refuse_unknown_agents(self, batch: Batch) -> None:
        unknown = await self._agents.missing({item.key for _, item in batch.items})
        if not unknown:
            return
        kept = []
        for record, item in batch.items:
            if item.key in unknown:
                reason = f"agent {item.key.agent_id} is not configured; configure it, then replay"
                batch.refused.append((record, UnknownAgent(reason)))
            else:
                kept.append((record, item))
        batch.items = kept

    async def _isolate(self, batch: Batch, error: PermanentError) -> None:
        """The database refused the batch: find the record at fault, and settle the others."""
        items, own = batch.items, batch.own
        if items and own:
            await self._settle(Batch(items=items))
            await self._settle(Batch(refused=batch.refused, own=own))
        elif len(items) > 1:
            middle = len(items) // 2
            await self._settle(Batch(items[:middle], batch.refused))
            await self._settle(Batch(items[middle:]))
        elif len(own) > 1:
            middle = len(own) // 2
            await self._settle(Batch(refused=batch.refused, own=own[:middle]))
            await self._settle(Batch(own=own[middle:]))
        elif items or own:
            record, _ = (items or own)[0]
            await self._settle(Batch(refused=[*batch.refused, (record, error)]))
        else:
            raise error
