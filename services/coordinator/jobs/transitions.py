"""One transition of a job: its row, its history, its spans and its events."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from opentelemetry import metrics

from archon_contracts import telemetry
from archon_contracts.base import Contract
from archon_contracts.events import (
    JobCancelled,
    JobCompleted,
    JobFailed,
    JobRejected,
    JobState,
    JobStateChanged,
    ReviewRequested,
)
from services.coordinator.domain import Job, JobFacts, stage_seconds
from services.coordinator.errors import FactMissing, JobMoved
from services.coordinator.jobs.deadlines import JobLimits
from services.coordinator.jobs.ports import JobHistory, Outbox, Spans
from services.coordinator.jobs.spans import (
    build_job_span,
    build_stage_span,
    derive_span_id,
    job_traceparent,
)
from services.coordinator.jobs.state_machine import JobEvent, next_state
from shared.logging import get_logger
from shared.messaging.messages import Cause
from shared.ports import Clock
from shared.postgres.database import Tx
from shared.telemetry.counters import counter_from_zero

log = get_logger(__name__)
meter = metrics.get_meter(__name__)
transitions_made = counter_from_zero(
    meter,
    telemetry.METRIC_JOBS_TRANSITIONS,
    "{transition}",
    *({"to_state": state} for state in JobState),
)


class JobTransitions:
    """Knows how a job changes, not why."""

    def __init__(
        self, jobs: JobHistory, outbox: Outbox, spans: Spans, limits: JobLimits, clock: Clock
    ) -> None:
        self._jobs = jobs
        self._outbox = outbox
        self._spans = spans
        self._limits = limits
        self._clock = clock

    async def open(self, tx: Tx, job: Job, cause: Cause, *, reason: str) -> bool:
        """Insert a new job and publish it; False when there is one of this id."""
        job = replace(job, deadline_at=self._limits.deadline(job.state, job.created_at))
        if not await self._jobs.insert_job(tx, job):
            log.info("duplicate_job_ignored", job_id=str(job.job_id))
            return False
        await self._record(tx, job, None, cause, event=None, reason=reason)
        return True

    async def apply(
        self,
        tx: Tx,
        job: Job,
        event: JobEvent,
        cause: Cause,
        *,
        reason: str = "",
        facts: JobFacts | None = None,
    ) -> Job | None:
        """Make the transition; None, and a log line, when the event means nothing in this state.

        Raises:
            JobMoved: the job changed since it was read.
        """
        to_state = next_state(job.state, event)
        if to_state is None:
            log.info("event_ignored", job_id=str(job.job_id), state=job.state, job_event=event)
            return None
        now = self._clock.now()
        moved = self._build_next(job, to_state, event, now, facts or job.facts)
        if not await self._jobs.update_job(tx, moved, known_version=job.version):
            raise JobMoved(f"job {job.job_id} changed while it was looked at; try again")
        # A stage's span ends with an error only where the stage itself failed.
        lost = event in (JobEvent.ATTEMPT_LOST, JobEvent.GAVE_UP)
        await self._spans.write(tx, build_stage_span(job, now, reason if lost else ""))
        await self._record(tx, moved, job.state, cause, event=event, reason=reason)
        if to_state.is_final:
            await self._publish_end(tx, moved, cause, reason)
        return moved

    async def record_redispatch(self, tx: Tx, job: Job) -> Job:
        """The job with its command sent once more, and a new deadline.

        Raises:
            JobMoved: the job changed since it was read.
        """
        deadline = self._limits.deadline(job.state, self._clock.now())
        return await self._update_in_state(
            tx,
            job,
            dispatches=job.dispatches + 1,
            facts=_count_evaluation(job.state, job.facts),
            deadline_at=deadline,
        )

    async def update_facts(
        self, tx: Tx, job: Job, facts: JobFacts, *, deadline_at: datetime | None = None
    ) -> Job:
        """The job with new facts in the same state: it is alive, so its deadline moves.

        To `deadline_at`, or as far as its state allows.

        Raises:
            JobMoved: the job changed since it was read.
        """
        deadline = deadline_at or self._limits.deadline(job.state, self._clock.now())
        return await self._update_in_state(tx, job, facts=facts, deadline_at=deadline)

    async def _update_in_state(self, tx: Tx, job: Job, **changes: Any) -> Job:
        changed = replace(job, version=job.version + 1, **changes)
        if not await self._jobs.update_job(tx, changed, known_version=job.version):
            raise JobMoved(f"job {job.job_id} changed while it was looked at; try again")
        return changed

    def _build_next(
        self, job: Job, to_state: JobState, event: JobEvent, now: datetime, facts: JobFacts
    ) -> Job:
        version = job.version + 1
        return replace(
            job,
            state=to_state,
            version=version,
            # An attempt begins with its slot: what the one before still reports is recognised as
            # old.
            attempt=job.attempt + (event in (JobEvent.SLOT_GRANTED, JobEvent.UPDATE_PREPARED)),
            dispatches=1,
            facts=_count_evaluation(to_state, facts),
            trace=replace(job.trace, stage_span_id=derive_span_id(job.job_id, version)),
            state_since=now,
            deadline_at=self._limits.deadline(to_state, now),
        )

    async def _record(
        self,
        tx: Tx,
        job: Job,
        from_state: JobState | None,
        cause: Cause,
        *,
        event: JobEvent | None,
        reason: str,
    ) -> None:
        await self._jobs.insert_transition(
            tx, job, from_state=from_state, event=event, reason=reason
        )
        # The version is part of the event's id: one cause may move a job twice.
        changed = _changed(job, from_state, reason)
        await self._outbox.append(
            tx, changed, cause=cause_of_job(cause, job), part=str(job.version)
        )
        transitions_made.add(1, {"to_state": job.state})
        log.info(
            "job_state_changed",
            job_id=str(job.job_id),
            agent_id=job.key.agent_id,
            from_state=from_state,
            to_state=job.state,
            attempt=job.attempt,
            reason=reason,
        )

    async def _publish_end(self, tx: Tx, job: Job, cause: Cause, reason: str) -> None:
        await self._spans.write(
            tx, build_job_span(job, reason if job.state is JobState.FAILED else "")
        )
        end = await self._build_end(tx, job, reason)
        await self._outbox.append(tx, end, cause=cause_of_job(cause, job))
        if isinstance(end, JobCompleted) and end.awaits_review:
            await self._outbox.append(tx, _review_requested(job), cause=cause_of_job(cause, job))

    async def _build_end(self, tx: Tx, job: Job, reason: str) -> Contract:
        """The one event that says how the job ended."""
        who = {"tenant_id": job.key.tenant_id, "agent_id": job.key.agent_id}
        match job.state:
            case JobState.REJECTED:
                return _rejected(job, reason)
            case JobState.FAILED:
                return JobFailed(**who, job_id=job.job_id, reason=reason)
            case JobState.CANCELLED:
                return JobCancelled(**who, job_id=job.job_id, reason=reason)
            case _:
                return await self._completed(tx, job)

    async def _completed(self, tx: Tx, job: Job) -> JobCompleted:
        if job.facts.model is None:
            raise FactMissing("the job has no model though it is completed")
        history = await self._jobs.transitions(tx, job.job_id)
        return JobCompleted(
            tenant_id=job.key.tenant_id,
            agent_id=job.key.agent_id,
            job_id=job.job_id,
            model=job.facts.model.version,
            digest=job.facts.model.artifact.digest,
            stage_seconds=stage_seconds(history),
            awaits_review=bool(job.review_reasons),
            learning=job.facts.learning,
        )


def _count_evaluation(state: JobState, facts: JobFacts) -> JobFacts:
    """The facts with one more evaluation command, if the state is the one that sends it."""
    if state is not JobState.EVALUATING:
        return facts
    return facts.model_copy(update={"evaluation_attempts": facts.evaluation_attempts + 1})


def cause_of_job(cause: Cause, job: Job) -> Cause:
    """The cause, as part of the job: correlated by its id, below its span."""
    return Cause(cause.id, str(job.job_id), job_traceparent(job))


def _rejected(job: Job, reason: str) -> JobRejected:
    evaluation = job.facts.evaluation
    if evaluation is None and job.attempt > 0:  # without an attempt the request was refused
        raise FactMissing("the job has no evaluation though its candidate is rejected")
    return JobRejected(
        tenant_id=job.key.tenant_id,
        agent_id=job.key.agent_id,
        job_id=job.job_id,
        evaluation_id=evaluation.evaluation_id if evaluation else None,
        reason=reason,
        learning=job.facts.learning,
    )


def _review_requested(job: Job) -> ReviewRequested:
    if job.facts.model is None:
        raise FactMissing("the job has no model though its version awaits a review")
    return ReviewRequested(
        tenant_id=job.key.tenant_id,
        agent_id=job.key.agent_id,
        job_id=job.job_id,
        model=job.facts.model,
        reasons=job.review_reasons,
    )


def _changed(job: Job, from_state: JobState | None, reason: str) -> JobStateChanged:
    return JobStateChanged(
        tenant_id=job.key.tenant_id,
        agent_id=job.key.agent_id,
        job_id=job.job_id,
        method=job.method,
        from_state=from_state,
        to_state=job.state,
        attempt=job.attempt,
        reason=reason,
        occurred_at=job.state_since,
        trace_id=job.trace.trace_id,
    )
