"""Training slots: what workers reported, given to the jobs that wait."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from archon_contracts.events import WorkerReported
from archon_contracts.identifiers import derived_id
from services.coordinator.domain import Job
from services.coordinator.jobs.dispatcher import Orders
from services.coordinator.jobs.state_machine import JobEvent
from services.coordinator.jobs.transitions import Transitions
from services.coordinator.scheduling.fair_share import Running, Waiting, allocate, capacity_of
from shared.clock import Clock
from shared.messaging.messages import Cause
from shared.postgres.database import Tx

TRAINER: Final = "trainer"
MOST_WAITING: Final = 200
"""Jobs looked at in one allocation, the most urgent of each tenant first."""


class Queue(Protocol):
    """Jobs that wait for slots, and the workers that have them."""

    def across_tenants(self, tx: Tx) -> AbstractAsyncContextManager[None]: ...

    async def lock_scheduler(self, tx: Tx) -> None: ...

    async def queued_jobs(self, tx: Tx, *, most: int) -> list[Waiting]: ...

    async def running_jobs(self, tx: Tx) -> list[Running]: ...

    async def lock_queued_job(self, tx: Tx, job_id: UUID) -> Job | None: ...

    async def slots_heard(self, tx: Tx, service: str, since: datetime) -> list[int]: ...

    async def put_worker(self, tx: Tx, report: WorkerReported, now: datetime) -> None: ...


class Slots:
    """Gives each free slot to one queued job."""

    def __init__(
        self,
        queue: Queue,
        transitions: Transitions,
        orders: Orders,
        clock: Clock,
        *,
        silence_seconds: float,
    ) -> None:
        self._queue = queue
        self._transitions = transitions
        self._orders = orders
        self._clock = clock
        self._silence = timedelta(seconds=silence_seconds)

    async def fill(self, tx: Tx) -> None:
        """Start as many queued jobs as there are free slots. The last step of a transaction.

        The lock comes before the look: whoever frees a slot and whoever queues a job at the same
        time see each other. A slot is for every tenant, whoever's job left it.
        """
        async with self._queue.across_tenants(tx):
            await self._fill(tx)

    async def _fill(self, tx: Tx) -> None:
        await self._queue.lock_scheduler(tx)
        waiting = await self._queue.queued_jobs(tx, most=MOST_WAITING)
        if not waiting:
            return
        heard = await self._queue.slots_heard(tx, TRAINER, self._clock.now() - self._silence)
        running = await self._queue.running_jobs(tx)
        for job_id in allocate(waiting, running, capacity_of(heard)):
            job = await self._queue.lock_queued_job(tx, job_id)
            if job is not None:
                await self._grant(tx, job)

    async def heard(self, tx: Tx, report: WorkerReported) -> None:
        """Remember a worker's report; a new slot is filled at once."""
        await self._queue.put_worker(tx, report, self._clock.now())
        if report.service == TRAINER:
            await self.fill(tx)

    async def _grant(self, tx: Tx, job: Job) -> None:
        cause = Cause(derived_id("slot", job.job_id, job.version), str(job.job_id))
        moved = await self._transitions.apply(tx, job, JobEvent.SLOT_GRANTED, cause)
        if moved is not None:
            await self._orders.issue(tx, moved, cause)
