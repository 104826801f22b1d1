"""What nobody else would notice: jobs past their deadline, triggers that time alone makes due.

Each is settled in a transaction of its own; what another coordinator holds is passed over.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from services.coordinator.domain import Job
from services.coordinator.flow import Flow
from services.coordinator.slots import Slots
from services.coordinator.triggers import Tally
from services.coordinator.turns import Turns
from shared.clock import Clock
from shared.database import Database, Tx
from shared.wakeups import Wakeups


class Jobs(Protocol):
    """Jobs by their deadline."""

    async def lock_overdue_job(self, tx: Tx, now: datetime) -> Job | None: ...


class Feedback(Protocol):
    """Tallies by the time to look again, and what is kept for some days only."""

    async def lock_due_tally(self, tx: Tx, now: datetime) -> Tally | None: ...

    async def prune_interactions(self, tx: Tx, before: datetime) -> None: ...


class Sweeper:
    """Called every few seconds."""

    def __init__(
        self,
        database: Database,
        wakeups: Wakeups,
        jobs: Jobs,
        feedback: Feedback,
        flow: Flow,
        turns: Turns,
        slots: Slots,
        clock: Clock,
    ) -> None:
        self._database = database
        self._wakeups = wakeups
        self._jobs = jobs
        self._feedback = feedback
        self._flow = flow
        self._turns = turns
        self._slots = slots
        self._clock = clock

    async def sweep(self) -> None:
        """Settle everything that is due now, and fill slots that a crash may have left free."""
        now = self._clock.now()
        while await self._settle_job(now) or await self._settle_tally(now):
            self._wakeups.ring()
        async with self._database.transaction() as tx:
            await self._slots.fill(tx)
        self._wakeups.ring()

    async def prune(self, keep: timedelta) -> None:
        """Forget interactions older than `keep`."""
        async with self._database.transaction() as tx:
            await self._feedback.prune_interactions(tx, self._clock.now() - keep)

    async def _settle_job(self, now: datetime) -> bool:
        async with self._database.transaction() as tx:
            job = await self._jobs.lock_overdue_job(tx, now)
            if job is not None:
                await self._flow.overdue(tx, job)
        return job is not None

    async def _settle_tally(self, now: datetime) -> bool:
        async with self._database.transaction() as tx:
            tally = await self._feedback.lock_due_tally(tx, now)
            if tally is not None:
                await self._turns.consider(tx, tally)
        return tally is not None
