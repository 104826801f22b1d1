"""Requests of people: to start a training, to cancel a job, to give its feedback back.

The audit log says who asked.
"""

from __future__ import annotations

from archon_contracts.commands import CancelJob, ReturnFeedback
from archon_contracts.events import JobState, TrainingRequested
from services.coordinator.domain import AgentKey, Job, JobFacts
from services.coordinator.jobs.audit_entries import (
    build_cancelled_entry,
    build_requested_entry,
    build_returned_entry,
)
from services.coordinator.jobs.lookup import find_expected_job
from services.coordinator.jobs.ports import AuditLog, TenantJobs
from services.coordinator.jobs.spans import build_requested_trace
from services.coordinator.jobs.state_machine import JobEvent
from services.coordinator.lifecycle import JobLifecycle
from services.coordinator.retraining.agent_queue import AgentQueue
from services.coordinator.retraining.window_ends import WindowEnds
from shared.logging import get_logger
from shared.messaging.messages import Cause, Message
from shared.ports import Clock
from shared.postgres.database import Tx

log = get_logger(__name__)


class RequestService:
    """The use cases; every one runs in the transaction of its message."""

    def __init__(
        self,
        jobs: TenantJobs,
        lifecycle: JobLifecycle,
        agent_queue: AgentQueue,
        window_ends: WindowEnds,
        audit: AuditLog,
        clock: Clock,
        *,
        max_jobs: int,
    ) -> None:
        self._max_jobs = max_jobs
        self._window_ends = window_ends
        self._jobs = jobs
        self._lifecycle = lifecycle
        self._agent_queue = agent_queue
        self._audit = audit
        self._clock = clock

    async def request_training(self, tx: Tx, message: Message[TrainingRequested]) -> None:
        """Open the job; it begins when its agent is known and free.

        One above the limit of its tenant ends at once, rejected with the reason. The gateway
        refuses it first; this holds for what comes by Kafka, and for requests that arrive
        at the same time.
        """
        body, now = message.body, self._clock.now()
        job = Job(
            job_id=body.job_id,
            key=AgentKey(body.tenant_id, body.agent_id),
            state=JobState.REQUESTED,
            method=body.method,
            config=body.config,
            trace=build_requested_trace(body.job_id),
            created_at=now,
            state_since=now,
            requested_by=body.requested_by,
            facts=JobFacts(
                provided_dataset=body.dataset,
                awaited_feedback=body.feedback_ids,
                source_agent=body.source_agent,
                source_version=body.source_version,
            ),
        )
        reason = f"requested by {body.requested_by}" if body.requested_by else "requested"
        if await self._accept(tx, job, message.cause, reason):
            await self._audit.append(tx, build_requested_entry(message, job), cause=message.cause)

    async def _accept(self, tx: Tx, job: Job, cause: Cause, request: str) -> bool:
        """Whether the job is new."""
        if self._max_jobs and await self._jobs.count_open_jobs(tx, job.key) >= self._max_jobs:
            reason = (
                f"{self._max_jobs} jobs of this tenant have not ended, which is the most "
                "(ARCHON_JOBS_PER_TENANT); wait for some or cancel them, then request it again"
            )
            return await self._lifecycle.refuse(tx, job, cause, request=request, reason=reason)
        return await self._agent_queue.submit(tx, job, cause, reason=request)

    async def cancel_job(self, tx: Tx, message: Message[CancelJob]) -> None:
        """Stop the job wherever it stands."""
        job = await find_expected_job(self._jobs, tx, message.body, JobEvent.CANCELLED)
        if job is not None:
            await self._lifecycle.advance(
                tx, job, JobEvent.CANCELLED, message.cause, reason=message.body.reason
            )
            await self._audit.append(tx, build_cancelled_entry(message, job), cause=message.cause)

    async def return_feedback(self, tx: Tx, message: Message[ReturnFeedback]) -> None:
        """Make the feedback of a job that is over new data again.

        Nothing happens, but for a log line, while the job is under way and where a deployed version
        has learnt the feedback: it would be learnt twice.
        """
        job = await self._jobs.lock_job(tx, message.body.job_id)
        if job is None or job.key.tenant_id != message.body.tenant_id:
            log.info("unknown_job_ignored", job_id=str(message.body.job_id))
            return
        end = await self._window_ends.return_by_hand(tx, job, message.cause, message.body.reason)
        if end is None:
            log.info("feedback_not_returned", job_id=str(job.job_id), state=job.state)
            return
        await self._agent_queue.start_next(tx, job.key, message.cause)
        entry = build_returned_entry(message, job, end.returned)
        await self._audit.append(tx, entry, cause=message.cause)
