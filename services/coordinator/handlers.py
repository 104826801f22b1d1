"""Messages that the coordinator takes: feedback in batches, everything else one by one."""

from __future__ import annotations

from archon_contracts import topics
from archon_contracts.commands import CancelJob, ConfigureAgent
from archon_contracts.events import (
    CurriculumPlanned,
    DatasetPrepared,
    DatasetRejected,
    DeploymentRefused,
    EvaluationCompleted,
    EvaluationFailed,
    ModelDeployed,
    ModelRegistered,
    ModelRolledBack,
    TrainingCompleted,
    TrainingFailed,
    TrainingRequested,
    TrainingStarted,
    WorkerReported,
)
from services.coordinator.agents import AgentService
from services.coordinator.feedback.consumer import Intake
from services.coordinator.requests import WishService
from services.coordinator.service import JobService
from shared.kafka.broker import Router, new_router, raw_subscription, subscription
from shared.kafka.subscriptions import Subscription
from shared.messaging.inbox import Inbox
from shared.messaging.messages import Message, RawRecord

SERVICE = "coordinator"


def build_router(
    agents: AgentService,
    jobs: JobService,
    wishes: WishService,
    intake: Intake,
    inbox: Inbox,
    *,
    feedback_batch: int,
) -> Router:
    """One handler per message; each commits its effect with its inbox row."""
    router = new_router()
    _on_feedback(router, intake, feedback_batch)
    messages = subscription(
        router,
        SERVICE,
        topics.COORDINATOR_COMMANDS,
        topics.JOBS,
        topics.CURRICULUM,
        topics.DATASETS,
        topics.TRAINING,
        topics.EVALUATIONS,
        topics.MODELS,
        topics.WORKERS,
    )
    _on_agents(messages, agents, inbox)
    _on_wishes(messages, wishes, inbox)
    _on_preparation(messages, jobs, inbox)
    _on_training(messages, jobs, inbox)
    _on_models(messages, jobs, inbox)
    return router


def _on_feedback(router: Router, intake: Intake, most: int) -> None:
    feedback = raw_subscription(
        router, SERVICE, topics.FEEDBACK, purpose="feedback", batch=True, max_records=most
    )

    @feedback.on_batch
    async def take_feedback(records: list[RawRecord]) -> None:
        await intake.take(records)


def _on_agents(messages: Subscription, agents: AgentService, inbox: Inbox) -> None:
    @messages.on(ConfigureAgent)
    async def configure_agent(message: Message[ConfigureAgent]) -> None:
        await inbox.run_once(message, agents.configure_agent)

    @messages.on(ModelRolledBack)
    async def take_rollback(message: Message[ModelRolledBack]) -> None:
        await inbox.run_once(message, agents.take_rollback)


def _on_wishes(messages: Subscription, wishes: WishService, inbox: Inbox) -> None:
    @messages.on(TrainingRequested)
    async def request_training(message: Message[TrainingRequested]) -> None:
        await inbox.run_once(message, wishes.request_training)

    @messages.on(CancelJob)
    async def cancel_job(message: Message[CancelJob]) -> None:
        await inbox.run_once(message, wishes.cancel_job)


def _on_preparation(messages: Subscription, jobs: JobService, inbox: Inbox) -> None:
    @messages.on(CurriculumPlanned)
    async def take_plan(message: Message[CurriculumPlanned]) -> None:
        await inbox.run_once(message, jobs.take_plan)

    @messages.on(DatasetPrepared)
    async def take_dataset(message: Message[DatasetPrepared]) -> None:
        await inbox.run_once(message, jobs.take_dataset)

    @messages.on(DatasetRejected)
    async def end_without_dataset(message: Message[DatasetRejected]) -> None:
        await inbox.run_once(message, jobs.end_without_dataset)


def _on_training(messages: Subscription, jobs: JobService, inbox: Inbox) -> None:
    @messages.on(WorkerReported)
    async def take_report(message: Message[WorkerReported]) -> None:
        await inbox.run_once(message, jobs.take_report)

    @messages.on(TrainingStarted)
    async def note_training_start(message: Message[TrainingStarted]) -> None:
        await inbox.run_once(message, jobs.note_training_start)

    @messages.on(TrainingCompleted)
    async def take_model(message: Message[TrainingCompleted]) -> None:
        await inbox.run_once(message, jobs.take_model)

    @messages.on(TrainingFailed)
    async def end_attempt(message: Message[TrainingFailed]) -> None:
        await inbox.run_once(message, jobs.end_attempt)


def _on_models(messages: Subscription, jobs: JobService, inbox: Inbox) -> None:
    @messages.on(EvaluationCompleted)
    async def take_verdict(message: Message[EvaluationCompleted]) -> None:
        await inbox.run_once(message, jobs.take_verdict)

    @messages.on(EvaluationFailed)
    async def end_evaluation(message: Message[EvaluationFailed]) -> None:
        await inbox.run_once(message, jobs.end_evaluation)

    @messages.on(ModelRegistered)
    async def roll_out(message: Message[ModelRegistered]) -> None:
        await inbox.run_once(message, jobs.roll_out)

    @messages.on(DeploymentRefused)
    async def judge_again(message: Message[DeploymentRefused]) -> None:
        await inbox.run_once(message, jobs.judge_again)

    @messages.on(ModelDeployed)
    async def take_deployment(message: Message[ModelDeployed]) -> None:
        await inbox.run_once(message, jobs.take_deployment)
