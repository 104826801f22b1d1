"""What nobody else would notice: jobs past their deadline, triggers that time alone makes due.

Each is settled in a transaction of its own; what another coordinator holds is passed over.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from services.coordinator.domain import AgentKey, Job
from services.coordinator.lifecycle import Flow
from services.coordinator.retraining.agent_queue import Turns
from services.coordinator.retraining.triggers import Tally
from shared.clock import Clock
from shared.errors import PermanentError
from shared.logging import get_logger
from shared.messaging.notifier import Wakeups
from shared.postgres.database import Database, Tx

log = get_logger(__name__)


class Jobs(Protocol):
    """Jobs by their deadline."""

    async def lock_overdue_job(self, tx: Tx, now: datetime) -> Job | None: ...

    async def lock_job(self, tx: Tx, job_id: UUID) -> Job | None: ...


class Interactions(Protocol):
    """What is kept for some days only."""

    async def prune_interactions(self, tx: Tx, before: datetime) -> None: ...


class Sweeper:
    """Called every few seconds."""

    def __init__(
        self,
        database: Database,
        wakeups: Wakeups,
        jobs: Jobs,
        flow: Flow,
        turns: Turns,
        clock: Clock,
    ) -> None:
        self._database = database
        self._wakeups = wakeups
        self._jobs = jobs
        self._flow = flow
        self._turns = turns
        self._clock = clock

    async def sweep(self) -> None:
        """Settle everything that is due now, and fill slots that a crash may have left free."""
        now = self._clock.now()
        while await self._settle_job(now) or await self._settle_tally(now):
            self._wakeups.ring()
        async with self._database.across_tenants() as tx:
            await self._flow.fill_slots(tx)
        self._wakeups.ring()

    async def _settle_job(self, now: datetime) -> bool:
        job: Job | None = None
        try:
            async with self._database.across_tenants() as tx:
                job = await self._jobs.lock_overdue_job(tx, now)
                if job is not None:
                    await self._flow.overdue(tx, job)
        except PermanentError as error:
            # It would be the first one again at every look, and no other would have its turn.
            if job is None:
                raise
            await self._end(job, str(error))
        return job is not None

    async def _end(self, job: Job, reason: str) -> None:
        log.error("overdue_job_ended", job_id=str(job.job_id), reason=reason)
        async with self._database.across_tenants() as tx:
            held = await self._jobs.lock_job(tx, job.job_id)
            if held is not None:
                await self._flow.give_up(tx, held, reason)

    async def _settle_tally(self, now: datetime) -> bool:
        tally: Tally | None = None
        try:
            async with self._database.across_tenants() as tx:
                tally = await self._turns.next_due(tx, now)
                if tally is not None:
                    await self._turns.consider(tx, tally)
        except PermanentError as error:
            if tally is None:
                raise
            await self._put_off(AgentKey(tally.tenant_id, tally.agent_id), now, str(error))
        return tally is not None

    async def _put_off(self, key: AgentKey, now: datetime, reason: str) -> None:
        log.error(
            "due_agent_put_off", tenant_id=key.tenant_id, agent_id=key.agent_id, reason=reason
        )
        async with self._database.across_tenants() as tx:
            await self._turns.put_off(tx, key, now)


class Pruner:
    """Forgets interactions that nobody judged for long."""

    def __init__(
        self, database: Database, interactions: Interactions, clock: Clock, *, keep: timedelta
    ) -> None:
        self._database = database
        self._interactions = interactions
        self._clock = clock
        self._keep = keep

    async def prune(self) -> None:
        """Called every hour."""
        async with self._database.across_tenants() as tx:
            await self._interactions.prune_interactions(tx, self._clock.now() - self._keep)
