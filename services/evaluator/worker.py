"""One evaluation: load cached predictions, let a forked child compute the others, publish."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from archon_contracts.commands import EvaluateModel
from archon_contracts.events import EvaluationCompleted, EvaluationFailed
from archon_contracts.formats import CATALOGUE_FILE, MODEL_CARD_FILE, TRAIN_FILE, predictions_file
from archon_contracts.identifiers import derived_id
from archon_contracts.metric_names import ACCURACY, ACCURACY_AT_5, LATENCY_SECONDS
from archon_contracts.values import ALL_ITEMS, AgentKind, ArtifactRef
from archon_inference.devices import Precision
from archon_inference.remote.base_models import RemoteModels
from services.evaluator.child import ENTRY
from services.evaluator.domain import (
    RECENT_VERSIONS,
    CachedScore,
    EvaluationReport,
    EvaluationState,
    Role,
    ScoreKey,
    build_score_keys,
    choose_control,
    choose_encoder,
    digest_items,
    find_items_file,
    find_new_labels,
    select_roles_to_score,
)
from services.evaluator.errors import NothingToCompare
from services.evaluator.ports import EvaluationRepository
from shared.artifacts.store import ArtifactStore
from shared.errors import ArtifactCorrupt, ArtifactMissing, ChildFailed, PermanentError
from shared.logging import get_logger
from shared.messaging.messages import Cause
from shared.messaging.outbox import Outbox
from shared.ports import Clock
from shared.postgres.database import Tx
from shared.work.child_pool import ChildPool
from shared.work.queue import Lease, WorkQueue

UPDATE_ENTRY: Final = "services.evaluator.update_child:run"
"""Names the run of an update's evaluation to the resident child; its module imports torch."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """A finished evaluation, before it is written."""

    report: EvaluationReport
    predictions: ArtifactRef
    scored: Mapping[ScoreKey, CachedScore]
    seconds: float


@dataclass(frozen=True, slots=True)
class Exam:
    """What the models are asked, and all answers that the candidate can give."""

    suite: Path
    new_labels: Sequence[Path]
    answers: Sequence[str] | None
    digest: str
    """Of all items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationWorker:
    """The evaluator's `WorkHandler`: everything is repeatable until `complete` commits."""

    children: ChildPool
    artifacts: ArtifactStore
    store: EvaluationRepository
    queue: WorkQueue
    outbox: Outbox
    clock: Clock
    threads: int
    device: str = "cpu"
    precision: Precision = "float32"
    remote_models: RemoteModels = field(default_factory=RemoteModels)
    entry: str = ENTRY

    async def run(self, lease: Lease) -> EvaluationResult:
        """Score whom no earlier evaluation scored on these items, and compare.

        Raises:
            NothingToCompare: there is nothing to compare the candidate with.
        """
        command = EvaluateModel.model_validate(lease.payload)
        started = self.clock.now()
        self.check(command)  # before anything is fetched: it may not be possible at all
        card = await self.artifacts.read_model(command.candidate, MODEL_CARD_FILE)
        exam = await self._find_exam(command, card)
        keys = build_score_keys(command, card, exam.digest)
        cached = await self._load_cached_predictions(lease, keys)
        recent = await self._load_recent_predictions(lease, command, keys)
        roles = self.select_roles(command, keys, cached)
        own = await self._build_own_spec(command, exam, roles)
        report, files = await self._evaluate(command, own, exam, cached, recent)
        predictions = await self.artifacts.publish_files(files)
        return EvaluationResult(
            report=report,
            predictions=predictions,
            scored=_list_scores(keys, roles, predictions, files),
            seconds=(self.clock.now() - started).total_seconds(),
        )

    def check(self, command: EvaluateModel) -> None:
        """Raises NothingToCompare where the command cannot be carried out."""
        choose_control(command)

    def select_roles(
        self, command: EvaluateModel, keys: Mapping[Role, ScoreKey], cached: Mapping[Role, bytes]
    ) -> list[Role]:
        """Who is still to be scored."""
        return select_roles_to_score(keys, cached, choose_encoder(command))

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
            reasons=report.reasons,
            rejection_kinds=report.rejection_kinds,
            review_reasons=report.review_reasons,
            results=report.results,
            accuracy=report.estimates_of(ACCURACY),
            accuracy_at_5=report.estimates_of(ACCURACY_AT_5),
            arms=report.arms,
            skills=report.skills,
            comparison=report.comparison,
            changed_answers=report.changed_answers,
            answered_items=report.answered_items,
            unscored_items=report.unscored_items,
            unscored_targets=report.unscored_targets,
            latency_seconds={
                role: groups[ALL_ITEMS].value
                for role, groups in report.estimates_of(LATENCY_SECONDS).items()
            },
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

    async def _load_cached_predictions(
        self, lease: Lease, keys: Mapping[Role, ScoreKey]
    ) -> dict[Role, bytes]:
        """Predictions of earlier evaluations that are still there and whole."""
        async with self.queue.guarded(lease) as tx:
            found = {role: await self.store.find_score(tx, key) for role, key in keys.items()}
        cached = {}
        for role, score in found.items():
            if score is None:
                continue
            try:
                cached[role] = await self.artifacts.read(score.predictions, score.file)
            except (ArtifactMissing, ArtifactCorrupt) as error:
                log.warning("cached_score_unreadable", role=role, reason=str(error))
            else:
                log.info("cached_score_used", role=role)
        return cached

    async def _load_recent_predictions(
        self, lease: Lease, command: EvaluateModel, keys: Mapping[Role, ScoreKey]
    ) -> list[bytes]:
        """Predictions on the same items of versions deployed before; a dataset's are asked once."""
        key = keys.get(Role.DEPLOYED)
        if key is None:
            return []
        async with self.queue.guarded(lease) as tx:
            scores = await self.store.find_recent_scores(tx, command, key, RECENT_VERSIONS)
        found = []
        for score in scores:
            try:
                found.append(await self.artifacts.read(score.predictions, score.file))
            except (ArtifactMissing, ArtifactCorrupt) as error:
                log.warning("recent_score_unreadable", reason=str(error))
        return found

    async def _find_exam(self, command: EvaluateModel, card: bytes) -> Exam:
        suite = find_items_file(await self.artifacts.fetch(command.items))
        new_labels = await self._find_new_labels(command)
        answers = await self._read_answers(command, card)
        return Exam(suite, new_labels, answers, digest_items(command.items, new_labels))

    async def _find_new_labels(self, command: EvaluateModel) -> list[Path]:
        """What is asked beside the suite."""
        if command.new_labels is None:
            return []
        return find_new_labels(await self.artifacts.fetch(command.new_labels))

    async def _find_training_items(self, command: EvaluateModel) -> str | None:
        if command.trained_on is None:
            return None
        return str(await self.artifacts.fetch(command.trained_on) / TRAIN_FILE)

    async def _read_answers(self, command: EvaluateModel, card: bytes) -> list[str] | None:
        """All answers that the candidate can give; None: any text is one, or it does not say."""
        if command.kind is AgentKind.CLASSIFIER:
            return list(json.loads(card).get("labels", ())) or None
        if command.kind is AgentKind.SELECTOR and command.catalogue is not None:
            catalogue = await self.artifacts.read(command.catalogue, CATALOGUE_FILE)
            return [entry["name"] for entry in json.loads(catalogue)]
        return None

    async def _locate_models(
        self, command: EvaluateModel, roles: Sequence[Role]
    ) -> dict[str, str | None]:
        """Where the child finds the models that it must score; None: it need not."""
        candidate = await self.artifacts.fetch_model(command.candidate)
        models: dict[str, str | None] = dict.fromkeys((role.value for role in Role), None)
        if Role.CANDIDATE in roles:
            models[Role.CANDIDATE] = str(candidate)
        if Role.DEPLOYED in roles and command.deployed is not None:
            models[Role.DEPLOYED] = str(await self.artifacts.fetch_model(command.deployed.artifact))
        if Role.CLOSED_FORM in roles and command.closed_form is not None:
            models[Role.CLOSED_FORM] = str(await self.artifacts.fetch_model(command.closed_form))
        if Role.BASELINE in roles:
            models[Role.BASELINE] = command.base_model
            if command.base_model is not None:
                await self.remote_models.fetch(command.base_model)
        if Role.NEAREST_NEIGHBOURS in roles:
            models[Role.NEAREST_NEIGHBOURS] = choose_encoder(command).value
        return models

    async def _build_own_spec(
        self, command: EvaluateModel, exam: Exam, roles: Sequence[Role]
    ) -> dict[str, Any]:
        """What this worker's child is given beside what those of all workers are."""
        return {
            "models": await self._locate_models(command, roles),
            "kind": command.kind.value,
            "device": self.device,
            "precision": self.precision,
            "control": choose_control(command).value,
            "trained_on": await self._find_training_items(command),
        }

    async def _evaluate(
        self,
        command: EvaluateModel,
        own: Mapping[str, Any],
        exam: Exam,
        cached: Mapping[Role, bytes],
        recent: Sequence[bytes],
    ) -> tuple[EvaluationReport, dict[str, bytes]]:
        """Run the child over known and new predictions; gives its report and all predictions."""
        with (
            tempfile.TemporaryDirectory(prefix="archon-evaluation-") as folder,
            # Apart: what lies in the other folder is published as this evaluation's.
            tempfile.TemporaryDirectory(prefix="archon-recent-") as earlier,
        ):
            output = Path(folder)
            _write_predictions(output, cached)
            spec = {
                "items": str(exam.suite),
                "new_labels": [str(path) for path in exam.new_labels],
                "answers": exam.answers,
                "threads": self.threads,
                "output_dir": folder,
                "gate": command.gate.model_dump(mode="json"),
                "minimum_reference_items": command.minimum_reference_items,
                "run": command.run.model_dump(mode="json") if command.run else None,
                "withdrawal": command.withdrawal,
                "recent": _write_recent(Path(earlier), recent),
                **own,
            }
            result = await self.children.run(self.entry, spec, _log_report)
            return EvaluationReport.model_validate(result["report"]), _read_files(output)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateEvaluationWorker(EvaluationWorker):
    """Evaluates updates of the fast path, in a child that keeps the encoder and the suite.

    The updated version is compared with the deployed one, on the suite and the corrections.
    """

    entry: str = UPDATE_ENTRY

    def check(self, command: EvaluateModel) -> None:
        """Raises NothingToCompare where nothing is deployed, or the command names no update."""
        if command.update is None or command.deployed is None:
            raise NothingToCompare("An update is compared with the deployed version; name both.")

    def select_roles(
        self, _command: EvaluateModel, keys: Mapping[Role, ScoreKey], cached: Mapping[Role, bytes]
    ) -> list[Role]:
        """Who is still to be scored."""
        return select_roles_to_score(keys, cached)

    async def _build_own_spec(
        self, command: EvaluateModel, exam: Exam, _roles: Sequence[Role]
    ) -> dict[str, Any]:
        assert command.update is not None
        assert command.deployed is not None  # see `check`
        update = await self.artifacts.fetch(command.update)
        return {
            # The child checks what it loads, and the encoder once for all versions.
            "models": {
                Role.CANDIDATE.value: await self._locate(command.candidate),
                Role.DEPLOYED.value: await self._locate(command.deployed.artifact),
            },
            "items_digest": exam.digest,
            "update": str(update / TRAIN_FILE),
            "fast_path": command.fast_path.model_dump(mode="json"),
        }

    async def _locate(self, ref: ArtifactRef) -> dict[str, str]:
        return {"folder": str(await self.artifacts.locate(ref)), "digest": ref.digest}


def _list_scores(
    keys: Mapping[Role, ScoreKey],
    roles: Sequence[Role],
    predictions: ArtifactRef,
    files: Mapping[str, bytes],
) -> dict[ScoreKey, CachedScore]:
    """What was scored and is kept; an update does not score a selector's base model."""
    names = {role: predictions_file(role) for role in roles}
    return {
        keys[role]: CachedScore(predictions, name) for role, name in names.items() if name in files
    }


def _write_recent(folder: Path, recent: Sequence[bytes]) -> list[str]:
    """Where the child reads the predictions of recent versions."""
    paths = [folder / f"{number}.jsonl" for number in range(len(recent))]
    for path, content in zip(paths, recent, strict=True):
        path.write_bytes(content)
    return [str(path) for path in paths]


def _write_predictions(folder: Path, predictions: Mapping[Role, bytes]) -> None:
    for role, content in predictions.items():
        (folder / predictions_file(role)).write_bytes(content)


def _read_files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


async def _log_report(report: dict[str, Any]) -> None:
    log.info("model_scored", **{k: v for k, v in report.items() if k != "event"})


def _cause(lease: Lease) -> Cause:
    """The lease's cause, with the present span as the parent of what follows."""
    return replace(lease.cause, traceparent="")
