"""Periodic checks: jobs past their deadline, triggers that time alone makes due.

Each is settled in a transaction of its own; what another coordinator has locked is skipped.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from services.coordinator.domain import AgentKey, Job
from services.coordinator.feedback.stats import FeedbackStats
from services.coordinator.feedback.store import FeedbackStore
from services.coordinator.lifecycle import JobLifecycle
from services.coordinator.ports import OverdueJobs
from services.coordinator.retraining.agent_queue import AgentQueue
from shared.errors import RetryableError
from shared.logging import get_logger
from shared.messaging.notifier import Notifier
from shared.ports import Clock
from shared.postgres.database import Database

log = get_logger(__name__)


class Sweeper:
    """Called every few seconds."""

    def __init__(
        self,
        database: Database,
        notifier: Notifier,
        jobs: OverdueJobs,
        lifecycle: JobLifecycle,
        agent_queue: AgentQueue,
        clock: Clock,
    ) -> None:
        self._database = database
        self._notifier = notifier
        self._jobs = jobs
        self._lifecycle = lifecycle
        self._agent_queue = agent_queue
        self._clock = clock

    async def sweep(self) -> None:
        """Settle everything that is due now, and fill slots that a crash may have left free."""
        now = self._clock.now()
        while await self._handle_overdue_job(now) or await self._evaluate_due_agent(now):
            self._notifier.notify()
        async with self._database.across_tenants() as tx:
            started = await self._lifecycle.fill_slots(tx)
        # Only then: whoever waits looks into the database, every few seconds for ever.
        if started:
            self._notifier.notify()

    async def _handle_overdue_job(self, now: datetime) -> bool:
        job: Job | None = None
        try:
            async with self._database.across_tenants() as tx:
                job = await self._jobs.lock_overdue_job(tx, now)
                if job is not None:
                    await self._lifecycle.handle_overdue(tx, job)
        except RetryableError:
            raise
        except Exception as error:
            # It would be first again at every sweep, and no other job would be handled.
            if job is None:
                raise
            await self._end(job, str(error) or type(error).__name__)
        return job is not None

    async def _end(self, job: Job, reason: str) -> None:
        log.error("overdue_job_ended", job_id=str(job.job_id), reason=reason)
        async with self._database.across_tenants() as tx:
            held = await self._jobs.lock_job(tx, job.job_id)
            if held is not None:
                await self._lifecycle.give_up(tx, held, reason)

    async def _evaluate_due_agent(self, now: datetime) -> bool:
        stats: FeedbackStats | None = None
        try:
            async with self._database.across_tenants() as tx:
                stats = await self._agent_queue.lock_next_due(tx, now)
                if stats is not None:
                    await self._agent_queue.evaluate_trigger(tx, stats)
        except RetryableError:
            raise
        except Exception as error:
            if stats is None:
                raise
            await self._postpone(AgentKey(stats.tenant_id, stats.agent_id), now, error)
        return stats is not None

    async def _postpone(self, key: AgentKey, now: datetime, error: Exception) -> None:
        async with self._database.across_tenants() as tx:
            await self._agent_queue.postpone(tx, key, now, error)


class RetentionJob:
    """Deletes old interactions without feedback."""

    def __init__(
        self, database: Database, interactions: FeedbackStore, clock: Clock, *, keep: timedelta
    ) -> None:
        self._database = database
        self._interactions = interactions
        self._clock = clock
        self._keep = keep

    async def prune(self) -> None:
        """Called every hour."""
        async with self._database.across_tenants() as tx:
            await self._interactions.prune_interactions(tx, self._clock.now() - self._keep)
