"""A job's trace: spans made from persisted times, committed with the change that ends them.

No span stays open while a job waits: a crash would lose it. Ids are derived from the job, so a
transaction that is done again makes the same span again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from archon_contracts import telemetry
from archon_contracts.events import JobState
from archon_contracts.identifiers import derived_id
from services.coordinator.domain import Job, JobTrace
from shared.postgres.database import Tx
from shared.telemetry.records import SpanRow, to_json
from shared.telemetry.spans import (
    SpanRef,
    current_traceparent,
    emit_span,
    parse_traceparent,
    traceparent_of,
)
from shared.telemetry.store import insert_spans

# OpenTelemetry's own limit of the links of a span.
MAX_LINKS: Final = 128

Attributes = Mapping[str, str | bool | int | float]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedSpan:
    """A span that is over."""

    name: str
    context: SpanRef
    started_at: datetime
    ended_at: datetime
    attributes: Attributes = field(default_factory=dict)
    links: Sequence[str] = ()
    error: str = ""


class SpanWriter:
    """Writes spans through the caller's transaction, and hands them to the exporters."""

    def __init__(self, service: str) -> None:
        self._service = service

    async def write(self, tx: Tx, span: CompletedSpan) -> None:
        """Store the span. Exporters drop one that they get twice, by its id."""
        await insert_spans(tx, [self._row(span)])
        emit_span(
            name=span.name,
            context=span.context,
            started_at=span.started_at,
            ended_at=span.ended_at,
            attributes=span.attributes,
            links=span.links,
            error=span.error or None,
        )

    def _row(self, span: CompletedSpan) -> SpanRow:
        return SpanRow(
            trace_id=span.context.trace_id,
            span_id=span.context.span_id,
            parent_id=span.context.parent_id or "",
            service=self._service,
            name=span.name,
            kind="INTERNAL",
            started_at=span.started_at,
            ended_at=span.ended_at,
            status="ERROR" if span.error else "OK",
            error=span.error,
            attributes=to_json(dict(span.attributes)),
            links=to_json(list(span.links)),
        )


def derive_span_id(*components: object) -> str:
    """The same components always name the same span."""
    return derived_id("span", *components).hex[:16]


def build_requested_trace(job_id: UUID) -> JobTrace:
    """A job that was asked for belongs to the trace that is current now, or to one of its own."""
    current = parse_traceparent(current_traceparent())
    return JobTrace(
        trace_id=current.trace_id if current else derived_id("trace", job_id).hex,
        parent_span_id=current.span_id if current else None,
        job_span_id=derive_span_id(job_id),
        stage_span_id=derive_span_id(job_id, 1),
    )


def build_trigger_context(job_id: UUID, completed_by: str | None) -> SpanRef:
    """The trigger belongs to the trace of the feedback event that completed the window."""
    origin = parse_traceparent(completed_by or "")
    return SpanRef(
        trace_id=origin.trace_id if origin else derived_id("trace", job_id).hex,
        span_id=derive_span_id(job_id, "trigger"),
        parent_id=origin.span_id if origin else None,
    )


def build_triggered_trace(job_id: UUID, trigger: SpanRef) -> JobTrace:
    """A triggered job hangs below its trigger."""
    return JobTrace(
        trace_id=trigger.trace_id,
        parent_span_id=trigger.span_id,
        job_span_id=derive_span_id(job_id),
        stage_span_id=derive_span_id(job_id, 1),
    )


def build_stage_span(job: Job, ended_at: datetime, error: str) -> CompletedSpan:
    """The span of the state that the job leaves now."""
    return CompletedSpan(
        name=telemetry.SPAN_STAGE.format(state=job.state),
        context=SpanRef(job.trace.trace_id, job.trace.stage_span_id, job.trace.job_span_id),
        started_at=job.state_since,
        ended_at=ended_at,
        attributes=_attributes(job, job.state),
        error=error,
    )


def build_job_span(job: Job, error: str) -> CompletedSpan:
    """The span of a job that came to its end, when it entered its final state."""
    return CompletedSpan(
        name=telemetry.SPAN_JOB,
        context=SpanRef(job.trace.trace_id, job.trace.job_span_id, job.trace.parent_span_id),
        started_at=job.created_at,
        ended_at=job.state_since,
        attributes={**_attributes(job, job.state), **_learning(job)},
        error=error,
    )


def job_traceparent(job: Job) -> str:
    """The traceparent of the job's span."""
    return traceparent_of(job.trace.trace_id, job.trace.job_span_id)


def stage_traceparent(job: Job) -> str:
    """The traceparent of the state's span: what the state orders happens below it."""
    return traceparent_of(job.trace.trace_id, job.trace.stage_span_id)


def _learning(job: Job) -> Attributes:
    """Whether the run learnt something, with its signals; nothing where it was not evaluated."""
    learning = job.facts.learning
    if learning is None:
        return {}
    return {
        telemetry.LEARNT: learning.learnt,
        telemetry.LEARNING_SIGNALS: "; ".join(learning.reasons),
    }


def _attributes(job: Job, state: JobState) -> Attributes:
    return {
        telemetry.TENANT_ID: job.key.tenant_id,
        telemetry.AGENT_ID: job.key.agent_id,
        telemetry.JOB_ID: str(job.job_id),
        telemetry.JOB_STATE: state.value,
        telemetry.JOB_ATTEMPT: job.attempt,
    }
