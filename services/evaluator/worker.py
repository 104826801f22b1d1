"""One evaluation: load cached scores, let a warm child make the rest, compare, publish."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from archon_contracts.base import Contract
from archon_contracts.commands import EvaluateModel
from archon_contracts.events import EvaluationCompleted, EvaluationFailed
from archon_contracts.formats import predictions_file
from archon_contracts.identifiers import derived_id
from archon_contracts.metric_names import TOP_K
from archon_contracts.values import ArtifactRef
from archon_inference.card import CARD_FILE
from services.evaluator.comparison.gate import EvaluationReport, build_evaluation_report
from services.evaluator.domain import (
    CachedScore,
    EvaluationState,
    Role,
    RoleScores,
    ScoreKey,
    build_score_keys,
    choose_control,
    find_items_file,
    read_scores,
    select_roles_to_score,
)
from shared.clock import Clock
from shared.errors import ArtifactCorrupt, ArtifactMissing, ChildFailed, PermanentError
from shared.logging import get_logger
from shared.messaging.messages import Cause
from shared.postgres.database import Tx
from shared.work.queue import Lease

ENTRY = "services.evaluator.child:run"

log = get_logger(__name__)


class Children(Protocol):
    """Runs functions in warm child processes."""

    async def run(
        self,
        entry: str,
        spec: Mapping[str, Any],
        on_report: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> dict[str, Any]: ...


class ArtifactStore(Protocol):
    """Content-addressed folders."""

    async def publish_files(self, files: Mapping[str, bytes]) -> ArtifactRef: ...

    async def fetch(self, ref: ArtifactRef) -> Path: ...

    async def read(self, ref: ArtifactRef, name: str) -> bytes: ...


class Outbox(Protocol):
    """Queues messages in the caller's transaction."""

    async def append(self, tx: Tx, body: Contract, *, cause: Cause, part: str = "") -> UUID: ...


class Guard(Protocol):
    """Opens transactions that hold only while the lease does."""

    def guarded(self, lease: Lease) -> AbstractAsyncContextManager[Tx]: ...


class Store(Protocol):
    """Known scores, and how evaluations ended."""

    async def end_attempt(
        self, tx: Tx, job_id: UUID, attempt: int, state: EvaluationState
    ) -> None: ...

    async def find_score(self, tx: Tx, key: ScoreKey) -> CachedScore | None: ...

    async def insert_score(self, tx: Tx, key: ScoreKey, score: CachedScore) -> None: ...


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """A finished evaluation, before it is written."""

    report: EvaluationReport
    predictions: ArtifactRef
    scored: Mapping[ScoreKey, CachedScore]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationWorker:
    """The evaluator's `WorkHandler`: everything is repeatable until `complete` commits."""

    children: Children
    artifacts: ArtifactStore
    store: Store
    guard: Guard
    outbox: Outbox
    clock: Clock
    threads: int
    entry: str = ENTRY

    async def run(self, lease: Lease) -> EvaluationResult:
        """Score whom no earlier evaluation scored on these items, and compare."""
        command = EvaluateModel.model_validate(lease.payload)
        started = self.clock.now()
        control = choose_control(command)
        suite = find_items_file(await self.artifacts.fetch(command.items))
        candidate = await self.artifacts.fetch(command.candidate)
        card = await self.artifacts.read(command.candidate, CARD_FILE)
        keys = build_score_keys(command, card)
        cached = await self._load_cached_scores(lease, keys)
        roles = select_roles_to_score(keys, cached)
        fresh = await self._score(command, candidate, suite, roles) if roles else {}
        scores = {role: fresh.get(role) or cached[role] for role in keys}
        report = await asyncio.to_thread(build_evaluation_report, scores, control, command.gate)
        files = {predictions_file(role): score.predictions for role, score in scores.items()}
        predictions = await self.artifacts.publish_files(files)
        return EvaluationResult(
            report=report,
            predictions=predictions,
            scored={
                keys[role]: CachedScore(predictions, predictions_file(role), score.latency_seconds)
                for role, score in fresh.items()
            },
            seconds=(self.clock.now() - started).total_seconds(),
        )

    async def complete(self, tx: Tx, lease: Lease, result: EvaluationResult) -> None:
        """Store the new scores and publish the report."""
        command = EvaluateModel.model_validate(lease.payload)
        await self.store.end_attempt(tx, command.job_id, command.attempt, EvaluationState.COMPLETED)
        for key, score in result.scored.items():
            await self.store.insert_score(tx, key, score)
        report = result.report
        completed = EvaluationCompleted(
            tenant_id=command.tenant_id,
            agent_id=command.agent_id,
            job_id=command.job_id,
            evaluation_id=derived_id("evaluation", command.job_id, command.attempt),
            passed=report.passed,
            results=report.results,
            reasons=report.reasons,
            accuracy=report.accuracy,
            accuracy_at_5=report.accuracy_at_5,
            comparison=dict(report.comparison),
            latency_seconds=dict(report.latency_seconds),
            compared_with=command.deployed.version if command.deployed else None,
            predictions=result.predictions,
            duration_seconds=result.seconds,
        )
        await self.outbox.append(tx, completed, cause=_cause(lease))

    async def give_up(self, tx: Tx, lease: Lease, error: Exception) -> None:
        """The evaluation could not be done; unless the error is permanent, another try may help."""
        command = EvaluateModel.model_validate(lease.payload)
        await self.store.end_attempt(tx, command.job_id, command.attempt, EvaluationState.FAILED)
        failed = EvaluationFailed(
            tenant_id=command.tenant_id,
            agent_id=command.agent_id,
            job_id=command.job_id,
            error_type=error.error_type if isinstance(error, ChildFailed) else type(error).__name__,
            reason=str(error),
            retryable=not isinstance(error, PermanentError),
        )
        await self.outbox.append(tx, failed, cause=_cause(lease))

    async def _load_cached_scores(
        self, lease: Lease, keys: Mapping[Role, ScoreKey]
    ) -> dict[Role, RoleScores]:
        """Scores of earlier evaluations whose predictions are still there and whole."""
        async with self.guard.guarded(lease) as tx:
            found = {role: await self.store.find_score(tx, key) for role, key in keys.items()}
        cached = {}
        for role, score in found.items():
            if score is None:
                continue
            try:
                predictions = await self.artifacts.read(score.predictions, score.file)
            except (ArtifactMissing, ArtifactCorrupt) as error:
                log.warning("cached_score_unreadable", role=role, reason=str(error))
            else:
                cached[role] = RoleScores(predictions, score.latency_seconds)
                log.info("cached_score_used", role=role)
        return cached

    async def _score(
        self, command: EvaluateModel, candidate: Path, suite: Path, roles: list[Role]
    ) -> dict[Role, RoleScores]:
        models: dict[str, str | None] = dict.fromkeys((role.value for role in Role), None)
        models[Role.CANDIDATE] = str(candidate) if Role.CANDIDATE in roles else None
        if Role.DEPLOYED in roles and command.deployed is not None:
            models[Role.DEPLOYED] = str(await self.artifacts.fetch(command.deployed.artifact))
        if Role.BASELINE in roles:
            models[Role.BASELINE] = command.base_model
        with tempfile.TemporaryDirectory(prefix="archon-evaluation-") as output:
            spec = {
                "models": models,
                "kind": command.kind.value,
                "items": str(suite),
                "threads": self.threads,
                "k": TOP_K,
                "output_dir": output,
            }
            result = await self.children.run(self.entry, spec, _log_report)
            return {role: read_scores(result, role) for role in roles}


async def _log_report(report: dict[str, Any]) -> None:
    log.info("model_scored", **{k: v for k, v in report.items() if k != "event"})


def _cause(lease: Lease) -> Cause:
    """The lease's cause, with the present span as the parent of what follows."""
    return replace(lease.cause, traceparent="")
