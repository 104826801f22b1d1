"""One attempt at a training: fetch, run in a forked child, publish the model, report the end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from archon_contracts.commands import TrainModel
from archon_contracts.events import ClosedFormModel, TrainingCompleted, TrainingFailed
from archon_contracts.formats import CATALOGUE_FILE
from archon_contracts.values import ArtifactRef
from archon_inference.devices import Precision
from archon_inference.errors import InferenceError
from archon_inference.remote.base_models import RemoteModels
from services.trainer.capacity import Capacity
from services.trainer.checkpoints.folders import WorkFolders
from services.trainer.child import ENTRY
from services.trainer.closed_form import UPDATE_ENTRY
from services.trainer.domain import (
    Hardware,
    RunFolders,
    TrainedModel,
    TrainingState,
    build_run_spec,
    read_trained_model,
)
from services.trainer.errors import RunInvalid
from services.trainer.ports import ArtifactStore, AttemptRecords, Children, Guard, Outbox
from services.trainer.progress import TrainingProgress
from services.trainer.resources import ResourceRates
from shared.errors import ChildFailed, PermanentError
from shared.messaging.messages import Cause
from shared.ports import Clock
from shared.postgres.database import Tx
from shared.work.queue import Lease


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """A trained model that is in the artifact store."""

    model: TrainedModel
    artifact: ArtifactRef
    closed_form: ArtifactRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingWorker:
    """The trainer's `WorkHandler`: everything is repeatable until `complete` commits."""

    children: Children
    artifacts: ArtifactStore
    folders: WorkFolders
    capacity: Capacity
    attempts: AttemptRecords
    guard: Guard
    outbox: Outbox
    clock: Clock
    worker_id: str
    threads: int
    precision: Precision = "float32"
    rates: ResourceRates = field(default_factory=ResourceRates)
    remote_models: RemoteModels = field(default_factory=RemoteModels)
    entry: str = ENTRY

    async def run(self, lease: Lease) -> PublishedModel:
        """Train from the last checkpoint of this attempt, or from the start."""
        command = TrainModel.model_validate(lease.payload)
        with self.capacity.reserve_slot() as device:
            hardware = Hardware(self.threads, device, self.precision, self.rates)
            spec = build_run_spec(command, await self._fetch(command, lease), hardware)
            progress = self._progress(command, lease)
            result = await self.children.run(self.entry, spec, progress.report)
            await progress.close()
            model = read_trained_model(result)
            # Before the transaction: an artifact without an event is garbage, an event without
            # its artifact would be a lie.
            return PublishedModel(
                model,
                await self.artifacts.publish(model.folder),
                await self.artifacts.publish(model.closed_form) if model.closed_form else None,
            )

    def _progress(self, command: TrainModel, lease: Lease) -> TrainingProgress:
        return TrainingProgress(
            command,
            lease,
            self.worker_id,
            guard=self.guard,
            outbox=self.outbox,
            clock=self.clock,
        )

    async def complete(self, tx: Tx, lease: Lease, result: PublishedModel) -> None:
        """The attempt gave a model."""
        command = TrainModel.model_validate(lease.payload)
        await self.attempts.end_attempt(
            tx, command.job_id, command.attempt, TrainingState.COMPLETED
        )
        completed = TrainingCompleted(
            tenant_id=command.tenant_id,
            job_id=command.job_id,
            agent_id=command.agent_id,
            attempt=command.attempt,
            model=result.artifact,
            steps=result.model.steps,
            metrics=dict(result.model.metrics),
            duration_seconds=result.model.seconds,
            peak_memory_mb=result.model.peak_memory_mb,
            library_versions=dict(result.model.library_versions),
            closed_form=None
            if result.closed_form is None
            else ClosedFormModel(
                artifact=result.closed_form, metrics=dict(result.model.closed_form_metrics)
            ),
        )
        await self.outbox.append(tx, completed, cause=_cause(lease))

    async def give_up(self, tx: Tx, lease: Lease, error: Exception) -> None:
        """The attempt ends without a model; unless the error is permanent, another may help."""
        command = TrainModel.model_validate(lease.payload)
        await self.attempts.end_attempt(tx, command.job_id, command.attempt, TrainingState.FAILED)
        failed = TrainingFailed(
            tenant_id=command.tenant_id,
            job_id=command.job_id,
            agent_id=command.agent_id,
            attempt=command.attempt,
            error_type=error.error_type if isinstance(error, ChildFailed) else type(error).__name__,
            reason=str(error),
            retryable=not isinstance(error, PermanentError),
        )
        await self.outbox.append(tx, failed, cause=_cause(lease))

    async def _fetch(self, command: TrainModel, lease: Lease) -> RunFolders:
        try:
            await self.remote_models.fetch(command.base_model)
        except InferenceError as error:
            raise RunInvalid(str(error)) from error
        checkpoints, output = await self.folders.make(command, lease.token)
        parent, catalogue = command.warm_start, await self._fetch_catalogue(command)
        source = command.source
        return RunFolders(
            dataset=await self.artifacts.fetch(command.dataset),
            warm_start_model=await self.artifacts.fetch_model(parent.artifact) if parent else None,
            catalogue=Path(catalogue) if catalogue else None,
            checkpoints=checkpoints,
            output=output,
            source_model=await self.artifacts.fetch_model(source.artifact) if source else None,
        )

    async def _fetch_catalogue(self, command: TrainModel) -> str | None:
        """Where the tools of a selector lie."""
        if command.catalogue is None:
            return None
        return str(await self.artifacts.fetch(command.catalogue) / CATALOGUE_FILE)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateWorker(TrainingWorker):
    """Updates of the fast path: no training slot, a child that stays, and a shared encoder."""

    entry: str = UPDATE_ENTRY

    async def run(self, lease: Lease) -> PublishedModel:
        """Add the items to the warm-start version.

        Raises:
            RunInvalid: the command names no warm-start version.
        """
        command = TrainModel.model_validate(lease.payload)
        if command.warm_start is None:
            raise RunInvalid("an update needs a version to add to: name one in warm_start")
        parent = command.warm_start.artifact
        _, output = await self.folders.make(command, lease.token)
        spec = {
            # The child checks what it loads, and the encoder once: it is the same in all versions.
            "warm_start": str(await self.artifacts.locate(parent)),
            "digest": parent.digest,
            "dataset": str(await self.artifacts.fetch(command.dataset)),
            "catalogue": await self._fetch_catalogue(command),
            "labels": list(command.labels),
            "withdrawal": command.withdrawal,
            "output_dir": str(output),
            "threads": self.threads,
            "device": "cpu",
            "precision": "float32",
        }
        progress = self._progress(command, lease)
        result = await self.children.run(self.entry, spec, progress.report)
        await progress.close()
        model = read_trained_model(result)
        return PublishedModel(model, await self.artifacts.publish_over(parent, model.folder))


def _cause(lease: Lease) -> Cause:
    """The lease's cause, with the present span as the parent of what follows."""
    return replace(lease.cause, traceparent="")
