"""Windows: claimed from the unused feedback, recorded in the trace, published as events."""

from __future__ import annotations

from datetime import datetime

from archon_contracts import telemetry
from archon_contracts.events import RetrainTriggered, TriggerReason
from archon_contracts.triggers.rating_drop import MINIMUM_RATINGS
from services.coordinator.domain import (
    AgentKey,
    Job,
    JobFacts,
    Window,
    WindowFacts,
    derive_window_id,
)
from services.coordinator.errors import NothingToLearn
from services.coordinator.feedback.stats import FeedbackStats
from services.coordinator.jobs.ports import Outbox, Spans
from services.coordinator.jobs.spans import MAX_LINKS, CompletedSpan, build_trigger_context
from services.coordinator.jobs.transitions import cause_of_job
from services.coordinator.retraining.ports import WindowFeedback
from services.coordinator.retraining.triggers import subtract
from shared.messaging.messages import Cause
from shared.ports import Clock
from shared.postgres.database import Tx
from shared.telemetry.spans import SpanRef


class Windows:
    """A feedback event is new data of exactly one window."""

    def __init__(
        self,
        feedback: WindowFeedback,
        spans: Spans,
        outbox: Outbox,
        clock: Clock,
    ) -> None:
        self._outbox = outbox
        self._feedback = feedback
        self._spans = spans
        self._clock = clock

    async def claim(
        self, tx: Tx, stats: FeedbackStats, reason: TriggerReason, maximum: int
    ) -> Window:
        """Take the oldest unused feedback for the agent's next window.

        Raises:
            NothingToLearn: there is none.
        """
        # The caller has locked the statistics, so no two windows get one number.
        key, sequence = AgentKey(stats.tenant_id, stats.agent_id), stats.windows + 1
        window_id = derive_window_id(key, sequence)
        if stats.unused == 0:
            raise NothingToLearn(
                f"agent {key.agent_id} has no unused feedback; send some, or name a dataset"
            )
        claim = await self._feedback.claim(tx, key, window_id, maximum)
        window = Window(window_id, key, sequence, reason, claim)
        reference = (stats.previous_rated, stats.previous_rating_sum)
        # Too few ratings say nothing: the window before stays what the next one is compared with.
        own = subtract(claim.rated, claim.rating_sum, stats.stream.late_ratings)
        if own.n >= MINIMUM_RATINGS:
            reference = (own.n, own.total)
        await self._feedback.insert_window(tx, window, reference, self._clock.now())
        return window

    async def write_trigger_span(
        self, tx: Tx, window: Window, context: SpanRef, started_at: datetime
    ) -> None:
        """Write the trigger's span, linked to the traces of the feedback that led to it."""
        links = await self._feedback.window_contexts(tx, window.window_id, most=MAX_LINKS)
        if not links and window.claim.completed_by:
            links = [window.claim.completed_by]  # an update's feedback is in no window
        span = CompletedSpan(
            name=telemetry.SPAN_TRIGGER,
            context=context,
            started_at=started_at,
            ended_at=self._clock.now(),
            attributes={
                telemetry.TENANT_ID: window.key.tenant_id,
                telemetry.AGENT_ID: window.key.agent_id,
                telemetry.WINDOW_ID: str(window.window_id),
                telemetry.TRIGGER_REASON: window.reason.value,
                telemetry.FEEDBACK_COUNT: window.claim.feedback_count,
            },
            links=links,
        )
        await self._spans.write(tx, span)

    async def publish_claim(self, tx: Tx, job: Job, window: Window, cause: Cause) -> None:
        """Publish which feedback is new data of the job."""
        triggered = RetrainTriggered(
            tenant_id=job.key.tenant_id,
            agent_id=job.key.agent_id,
            job_id=job.job_id,
            window_id=window.window_id,
            reason=window.reason,
            feedback_count=window.claim.feedback_count,
            feedback_digest=window.claim.feedback_digest,
            fast_path=job.is_update,
        )
        await self._outbox.append(tx, triggered, cause=cause_of_job(cause, job))


def add_window_facts(facts: JobFacts, window: Window, *, fast_path: bool = False) -> JobFacts:
    """The facts of a job that learns from a window."""
    return facts.model_copy(
        update={
            "new_items": window.claim.feedback_count,
            "rated_items": window.claim.labelled,
            "success_rate": window.claim.success_rate,
            "window": WindowFacts(
                window_id=window.window_id,
                reason=window.reason,
                feedback_count=window.claim.feedback_count,
                feedback_digest=window.claim.feedback_digest,
                fast_path=fast_path,
            ),
        }
    )


def cause_of_window(window: Window, job: Job) -> Cause:
    """What causes a job that a policy began: its window, below the trigger's span."""
    context = build_trigger_context(job.job_id, window.claim.completed_by)
    return Cause(window.window_id, str(job.job_id), context.traceparent)
