"""What the allocation of slots needs of its store."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from archon_contracts.events import WorkerReported
from services.coordinator.domain import Job
from services.coordinator.scheduling.fair_share import QueuedJob, RunningJob
from shared.postgres.database import Tx


class SlotStore(Protocol):
    """Jobs that wait for slots, and the workers that have them."""

    def across_tenants(self, tx: Tx) -> AbstractAsyncContextManager[None]: ...

    async def lock_scheduler(self, tx: Tx) -> None: ...

    async def queued_jobs(self, tx: Tx, *, most: int, now: datetime) -> list[QueuedJob]: ...

    async def running_jobs(self, tx: Tx) -> list[RunningJob]: ...

    async def lock_queued_job(self, tx: Tx, job_id: UUID) -> Job | None: ...

    async def reported_slots(self, tx: Tx, service: str, since: datetime) -> list[int]: ...

    async def put_worker(self, tx: Tx, report: WorkerReported, now: datetime) -> None: ...
