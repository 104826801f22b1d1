"""Windows: claimed from the unused feedback, told to the trace, written out as data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol
from uuid import UUID

from archon_contracts import telemetry
from archon_contracts.commands import DataSource, SourceKind
from archon_contracts.events import RetrainTriggered, TriggerReason
from archon_contracts.formats import ITEMS_FILE, count_lines
from archon_contracts.values import ArtifactRef
from services.coordinator.domain import AgentKey, Job, Window, WindowClaim, derive_window_id
from services.coordinator.errors import NothingToLearn
from services.coordinator.jobs.spans import MAX_LINKS, CompletedSpan, Spans
from services.coordinator.jobs.transitions import Outbox, cause_of_job
from services.coordinator.retraining.triggers import MINIMUM_RATINGS, FeedbackStats
from services.coordinator.retraining.window_export import (
    JsonLines,
    StoredFeedback,
    annotation_lines,
    feedback_lines,
)
from shared.clock import Clock
from shared.messaging.messages import Cause
from shared.postgres.database import Tx
from shared.telemetry.spans import SpanRef


class Feedback(Protocol):
    """The feedback of windows. Whoever claims holds the statistics' lock."""

    async def claim(self, tx: Tx, key: AgentKey, window_id: UUID, maximum: int) -> WindowClaim: ...

    async def insert_window(
        self, tx: Tx, window: Window, reference: tuple[int, float], now: datetime
    ) -> None: ...

    async def window_feedback(self, tx: Tx, window_id: UUID) -> list[StoredFeedback]: ...

    async def window_contexts(self, tx: Tx, window_id: UUID, *, most: int) -> list[str]: ...


class ArtifactStore(Protocol):
    """Content-addressed folders."""

    async def publish_files(self, files: Mapping[str, bytes]) -> ArtifactRef: ...

    async def read(self, ref: ArtifactRef, name: str) -> bytes: ...


class Windows:
    """A feedback event is new data of exactly one window."""

    def __init__(
        self,
        feedback: Feedback,
        artifacts: ArtifactStore,
        spans: Spans,
        outbox: Outbox,
        clock: Clock,
    ) -> None:
        self._outbox = outbox
        self._feedback = feedback
        self._artifacts = artifacts
        self._spans = spans
        self._clock = clock

    async def claim(
        self, tx: Tx, stats: FeedbackStats, reason: TriggerReason, maximum: int
    ) -> Window:
        """Take the oldest unused feedback for the agent's next window.

        Raises:
            NothingToLearn: there is none.
        """
        key, sequence = AgentKey(stats.tenant_id, stats.agent_id), stats.windows + 1
        window_id = derive_window_id(key, sequence)
        if stats.unused == 0:
            raise NothingToLearn(
                f"agent {key.agent_id} has no unused feedback; send some, or name a dataset"
            )
        claim = await self._feedback.claim(tx, key, window_id, maximum)
        window = Window(window_id, key, sequence, reason, claim)
        reference = (stats.reference_rated, stats.reference_rating_sum)
        if claim.rated >= MINIMUM_RATINGS:
            reference = (claim.rated, claim.rating_sum)
        await self._feedback.insert_window(tx, window, reference, self._clock.now())
        return window

    async def write_trigger_span(
        self, tx: Tx, window: Window, context: SpanRef, started_at: datetime
    ) -> None:
        """Write the trigger's span, linked to the traces of the feedback that led to it."""
        links = await self._feedback.window_contexts(tx, window.window_id, most=MAX_LINKS)
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
        """Tell everybody which feedback are new data of the job."""
        triggered = RetrainTriggered(
            tenant_id=job.key.tenant_id,
            agent_id=job.key.agent_id,
            job_id=job.job_id,
            window_id=window.window_id,
            reason=window.reason,
            feedback_count=window.claim.feedback_count,
            feedback_digest=window.claim.feedback_digest,
        )
        await self._outbox.append(tx, triggered, cause=cause_of_job(cause, job))

    async def export(self, tx: Tx, window_id: UUID) -> tuple[DataSource, ...]:
        """Publish the window's content; what was retracted since the claim is left out.

        Raises:
            NothingToLearn: all of it was retracted.
        """
        feedback = await self._feedback.window_feedback(tx, window_id)
        sources = [
            await self._published(kind, lines)
            for kind, lines in (
                (SourceKind.FEEDBACK, feedback_lines(feedback)),
                (SourceKind.HUMAN, annotation_lines(feedback)),
            )
            if lines.items
        ]
        if not sources:
            raise NothingToLearn("all feedback of the window was retracted")
        return tuple(sources)

    async def read_provided(self, dataset: ArtifactRef) -> DataSource:
        """A dataset that a request named, as a source.

        Raises:
            ArtifactMissing, ArtifactCorrupt: see `shared.artifacts.store`.
            NothingToLearn: it holds no item.
        """
        items = count_lines(await self._artifacts.read(dataset, ITEMS_FILE))
        if items == 0:
            raise NothingToLearn(f"{ITEMS_FILE} of the provided dataset holds no item; add some")
        return DataSource(kind=SourceKind.EXTERNAL, artifact=dataset, items=items)

    async def _published(self, kind: SourceKind, lines: JsonLines) -> DataSource:
        artifact = await self._artifacts.publish_files({ITEMS_FILE: lines.content})
        return DataSource(kind=kind, artifact=artifact, items=lines.items)
