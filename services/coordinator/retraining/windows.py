"""Windows: claimed from the unused judgements, told to the trace, written out as data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol
from uuid import UUID

from archon_contracts import telemetry
from archon_contracts.commands import DataSource, SourceKind
from archon_contracts.events import RetrainTriggered, TriggerReason
from archon_contracts.values import ArtifactRef
from services.coordinator.domain import AgentKey, Claim, Job, Window, window_id_of
from services.coordinator.errors import NothingToLearn
from services.coordinator.jobs.spans import MOST_LINKS, FinishedSpan, Spans
from services.coordinator.jobs.transitions import Outbox, of_job
from services.coordinator.retraining.triggers import MINIMUM_RATINGS, Tally
from services.coordinator.retraining.window_export import (
    ITEMS_FILE,
    Lines,
    StoredJudgement,
    annotation_lines,
    count_lines,
    feedback_lines,
)
from shared.clock import Clock
from shared.messaging.messages import Cause
from shared.postgres.database import Tx
from shared.telemetry.spans import SpanRef


class Feedback(Protocol):
    """The judgements of windows. Whoever claims holds the tally's lock."""

    async def claim(self, tx: Tx, key: AgentKey, window_id: UUID, maximum: int) -> Claim: ...

    async def insert_window(
        self, tx: Tx, window: Window, reference: tuple[int, float], now: datetime
    ) -> None: ...

    async def window_feedback(self, tx: Tx, window_id: UUID) -> list[StoredJudgement]: ...

    async def window_contexts(self, tx: Tx, window_id: UUID, *, most: int) -> list[str]: ...


class Artifacts(Protocol):
    """Content-addressed folders."""

    async def publish_files(self, files: Mapping[str, bytes]) -> ArtifactRef: ...

    async def read(self, ref: ArtifactRef, name: str) -> bytes: ...


class Windows:
    """A judgement is new data of exactly one window."""

    def __init__(
        self,
        feedback: Feedback,
        artifacts: Artifacts,
        spans: Spans,
        outbox: Outbox,
        clock: Clock,
    ) -> None:
        self._outbox = outbox
        self._feedback = feedback
        self._artifacts = artifacts
        self._spans = spans
        self._clock = clock

    async def claim(self, tx: Tx, tally: Tally, reason: TriggerReason, maximum: int) -> Window:
        """Take the oldest unused judgements for the agent's next window.

        Raises:
            NothingToLearn: there is none.
        """
        key, sequence = AgentKey(tally.tenant_id, tally.agent_id), tally.windows + 1
        window_id = window_id_of(key, sequence)
        if tally.unused == 0:
            raise NothingToLearn(
                f"agent {key.agent_id} has no unused feedback; send some, or name a dataset"
            )
        claim = await self._feedback.claim(tx, key, window_id, maximum)
        window = Window(window_id, key, sequence, reason, claim)
        reference = (tally.reference_rated, tally.reference_rating_sum)
        if claim.rated >= MINIMUM_RATINGS:
            reference = (claim.rated, claim.rating_sum)
        await self._feedback.insert_window(tx, window, reference, self._clock.now())
        return window

    async def tell_trigger(
        self, tx: Tx, window: Window, place: SpanRef, started_at: datetime
    ) -> None:
        """Write the trigger's span, linked to the traces of the judgements that led to it."""
        links = await self._feedback.window_contexts(tx, window.window_id, most=MOST_LINKS)
        span = FinishedSpan(
            name=telemetry.SPAN_TRIGGER,
            place=place,
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

    async def tell_claim(self, tx: Tx, job: Job, window: Window, cause: Cause) -> None:
        """Tell everybody which judgements are new data of the job."""
        triggered = RetrainTriggered(
            tenant_id=job.key.tenant_id,
            agent_id=job.key.agent_id,
            job_id=job.job_id,
            window_id=window.window_id,
            reason=window.reason,
            feedback_count=window.claim.feedback_count,
            feedback_digest=window.claim.feedback_digest,
        )
        await self._outbox.append(tx, triggered, cause=of_job(cause, job))

    async def write_out(self, tx: Tx, window_id: UUID) -> tuple[DataSource, ...]:
        """Publish the window's content; what was retracted since the claim is left out.

        Raises:
            NothingToLearn: all of it was retracted.
        """
        judgements = await self._feedback.window_feedback(tx, window_id)
        sources = [
            await self._published(kind, lines)
            for kind, lines in (
                (SourceKind.FEEDBACK, feedback_lines(judgements)),
                (SourceKind.HUMAN, annotation_lines(judgements)),
            )
            if lines.items
        ]
        if not sources:
            raise NothingToLearn("all feedback of the window was retracted")
        return tuple(sources)

    async def given(self, dataset: ArtifactRef) -> DataSource:
        """A dataset that a request named, as a source.

        Raises:
            ArtifactMissing, ArtifactCorrupt: see `shared.artifacts.store`.
            NothingToLearn: it holds no item.
        """
        items = count_lines(await self._artifacts.read(dataset, ITEMS_FILE))
        if items == 0:
            raise NothingToLearn(f"{ITEMS_FILE} of the given dataset holds no item; add some")
        return DataSource(kind=SourceKind.EXTERNAL, artifact=dataset, items=items)

    async def _published(self, kind: SourceKind, lines: Lines) -> DataSource:
        artifact = await self._artifacts.publish_files({ITEMS_FILE: lines.content})
        return DataSource(kind=kind, artifact=artifact, items=lines.items)
