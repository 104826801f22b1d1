"""Training slots: what workers reported, provided to the jobs that wait."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from archon_contracts.events import WorkerReported
from archon_contracts.identifiers import derived_id
from services.coordinator.domain import Job
from services.coordinator.jobs.dispatcher import CommandDispatcher
from services.coordinator.jobs.state_machine import JobEvent
from services.coordinator.jobs.transitions import JobTransitions
from services.coordinator.scheduling.fair_share import allocate, count_slots
from services.coordinator.scheduling.ports import SlotStore
from shared.messaging.messages import Cause
from shared.ports import Clock
from shared.postgres.database import Tx

TRAINER: Final = "trainer"
MAX_QUEUED: Final = 200
"""Jobs looked at in one allocation, the most urgent of each tenant first."""


class SlotAllocator:
    """Gives each free slot to one queued job."""

    def __init__(
        self,
        queue: SlotStore,
        transitions: JobTransitions,
        dispatcher: CommandDispatcher,
        clock: Clock,
        *,
        report_timeout_seconds: float,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        self._queue = queue
        self._transitions = transitions
        self._dispatcher = dispatcher
        self._clock = clock
        self._weights = dict(weights or {})
        self._report_timeout = timedelta(seconds=report_timeout_seconds)

    async def fill(self, tx: Tx) -> bool:
        """Start as many queued jobs as there are free slots. The last step of a transaction.

        Returns whether one was started.

        The lock comes before the look: whoever frees a slot and whoever queues a job at the same
        time see each other. A slot is for every tenant, whoever's job left it.
        """
        async with self._queue.across_tenants(tx):
            return await self._fill(tx)

    async def _fill(self, tx: Tx) -> bool:
        await self._queue.lock_scheduler(tx)
        waiting = await self._queue.queued_jobs(tx, most=MAX_QUEUED, now=self._clock.now())
        if not waiting:
            return False
        started = False
        heard = await self._queue.reported_slots(
            tx, TRAINER, self._clock.now() - self._report_timeout
        )
        running = await self._queue.running_jobs(tx)
        for job_id in allocate(waiting, running, count_slots(heard), self._weights):
            job = await self._queue.lock_queued_job(tx, job_id)
            # It may have been cancelled since it was listed.
            if job is not None:
                await self._grant(tx, job)
                started = True
        return started

    async def record_report(self, tx: Tx, report: WorkerReported) -> None:
        """Remember a worker's report; a new slot is filled at once."""
        await self._queue.put_worker(tx, report, self._clock.now())
        if report.service == TRAINER:
            await self.fill(tx)

    async def _grant(self, tx: Tx, job: Job) -> None:
        cause = Cause(derived_id("slot", job.job_id, job.version), str(job.job_id))
        moved = await self._transitions.apply(tx, job, JobEvent.SLOT_GRANTED, cause)
        if moved is not None:
            await self._dispatcher.dispatch(tx, moved, cause)
