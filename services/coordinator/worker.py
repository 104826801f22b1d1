"""Runs the leased work of the coordinator: publishing a job's sources."""

from __future__ import annotations

from functools import partial

from services.coordinator.domain import AgentKey
from services.coordinator.jobs.source_work import SourceWork
from services.coordinator.ports import GuardedQueue
from services.coordinator.retraining.ports import Corrections
from services.coordinator.retraining.sources import PublishedSources, SourcePublisher
from services.coordinator.service import JobService
from shared.postgres.database import Tx
from shared.work.queue import Lease


class SourceWorker:
    """The handler of `publish_sources` work: publishes first, then commits the references.

    A crash between the two leaves files that nobody refers to; the next try publishes the same.
    """

    def __init__(
        self,
        service: JobService,
        publisher: SourcePublisher,
        queue: GuardedQueue,
        corrections: Corrections,
    ) -> None:
        self._service = service
        self._publisher = publisher
        self._queue = queue
        self._corrections = corrections

    async def run(self, lease: Lease) -> PublishedSources:
        """Export the window, or look at the dataset; no row stays locked meanwhile."""
        work = SourceWork.model_validate(lease.payload)
        if work.dataset is not None:
            return await self._publisher.read_provided(work.dataset)
        if work.window_id is None:
            raise ValueError("the work names neither a window nor a dataset")
        begin = partial(self._queue.guarded, lease)
        if work.fast_path:
            async with begin() as tx:
                feedback = await self._corrections.update_feedback(tx, work.window_id)
            return await self._publisher.publish_update(feedback)
        key = AgentKey(work.tenant_id, work.agent_id) if work.agent_id else None
        return await self._publisher.publish_window(begin, work.window_id, key)

    async def complete(self, tx: Tx, lease: Lease, result: PublishedSources) -> None:
        """Let the job go on with its sources."""
        work = SourceWork.model_validate(lease.payload)
        await self._service.record_sources(tx, work.job_id, result, lease.cause)

    async def give_up(self, tx: Tx, lease: Lease, error: Exception) -> None:
        """The job cannot have its sources: it fails and says why."""
        work = SourceWork.model_validate(lease.payload)
        await self._service.record_source_failure(tx, work.job_id, str(error), lease.cause)
