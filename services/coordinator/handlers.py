"""Subscriptions of the coordinator: feedback in batches, everything else one by one."""

from __future__ import annotations

from archon_contracts import topics
from archon_contracts.commands import AnalyzeLogs, CancelJob, ConfigureAgent, ReturnFeedback
from archon_contracts.events import (
    CurriculumPlanned,
    DatasetPrepared,
    DatasetRejected,
    DeploymentRefused,
    EvaluationCompleted,
    EvaluationFailed,
    ExperimentConcluded,
    ExperimentStarted,
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
from services.coordinator.feedback.consumer import FeedbackConsumer
from services.coordinator.log_export.service import LogExport
from services.coordinator.requests import RequestService
from services.coordinator.service import JobService
from shared.kafka.broker import Router, new_router, raw_subscription, subscription
from shared.kafka.subscriptions import Subscription
from shared.messaging.inbox import Inbox
from shared.messaging.messages import Message, RawRecord

SERVICE = "coordinator"


def build_router(
    agents: AgentService,
    jobs: JobService,
    requests: RequestService,
    consumer: FeedbackConsumer,
    inbox: Inbox,
    *,
    log_export: LogExport,
    feedback_batch: int,
) -> Router:
    """One handler per message; each commits its effect with its inbox row."""
    router = new_router()
    _on_feedback(router, consumer, feedback_batch)
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
    _on_requests(messages, requests, inbox)
    _on_log_analyses(messages, log_export, inbox)
    _on_preparation(messages, jobs, inbox)
    _on_training(messages, jobs, inbox)
    _on_models(messages, jobs, inbox)
    return router


def _on_feedback(router: Router, consumer: FeedbackConsumer, most: int) -> None:
    feedback = raw_subscription(
        router, SERVICE, topics.FEEDBACK, group_suffix="feedback", batch=True, max_records=most
    )

    @feedback.on_batch
    async def consume_feedback(records: list[RawRecord]) -> None:
        await consumer.consume(records)


def _on_agents(messages: Subscription, agents: AgentService, inbox: Inbox) -> None:
    @messages.on(ConfigureAgent)
    async def configure_agent(message: Message[ConfigureAgent]) -> None:
        await inbox.run_once(message, agents.configure_agent)

    @messages.on(ModelRolledBack)
    async def record_rollback(message: Message[ModelRolledBack]) -> None:
        await inbox.run_once(message, agents.record_rollback)


def _on_requests(messages: Subscription, requests: RequestService, inbox: Inbox) -> None:
    @messages.on(TrainingRequested)
    async def request_training(message: Message[TrainingRequested]) -> None:
        await inbox.run_once(message, requests.request_training)

    @messages.on(CancelJob)
    async def cancel_job(message: Message[CancelJob]) -> None:
        await inbox.run_once(message, requests.cancel_job)

    @messages.on(ReturnFeedback)
    async def return_feedback(message: Message[ReturnFeedback]) -> None:
        await inbox.run_once(message, requests.return_feedback)


def _on_log_analyses(messages: Subscription, log_export: LogExport, inbox: Inbox) -> None:
    @messages.on(AnalyzeLogs)
    async def analyze_logs(message: Message[AnalyzeLogs]) -> None:
        await inbox.run_once(message, log_export.accept)


def _on_preparation(messages: Subscription, jobs: JobService, inbox: Inbox) -> None:
    @messages.on(CurriculumPlanned)
    async def record_plan(message: Message[CurriculumPlanned]) -> None:
        await inbox.run_once(message, jobs.record_plan)

    @messages.on(DatasetPrepared)
    async def record_dataset(message: Message[DatasetPrepared]) -> None:
        await inbox.run_once(message, jobs.record_dataset)

    @messages.on(DatasetRejected)
    async def record_dataset_rejection(message: Message[DatasetRejected]) -> None:
        await inbox.run_once(message, jobs.record_dataset_rejection)


def _on_training(messages: Subscription, jobs: JobService, inbox: Inbox) -> None:
    @messages.on(WorkerReported)
    async def record_worker_report(message: Message[WorkerReported]) -> None:
        await inbox.run_once(message, jobs.record_worker_report)

    @messages.on(TrainingStarted)
    async def record_training_start(message: Message[TrainingStarted]) -> None:
        await inbox.run_once(message, jobs.record_training_start)

    @messages.on(TrainingCompleted)
    async def record_candidate(message: Message[TrainingCompleted]) -> None:
        await inbox.run_once(message, jobs.record_candidate)

    @messages.on(TrainingFailed)
    async def record_training_failure(message: Message[TrainingFailed]) -> None:
        await inbox.run_once(message, jobs.record_training_failure)


def _on_models(messages: Subscription, jobs: JobService, inbox: Inbox) -> None:
    @messages.on(EvaluationCompleted)
    async def record_evaluation(message: Message[EvaluationCompleted]) -> None:
        await inbox.run_once(message, jobs.record_evaluation)

    @messages.on(EvaluationFailed)
    async def record_evaluation_failure(message: Message[EvaluationFailed]) -> None:
        await inbox.run_once(message, jobs.record_evaluation_failure)

    @messages.on(ModelRegistered)
    async def record_registration(message: Message[ModelRegistered]) -> None:
        await inbox.run_once(message, jobs.record_registration)

    @messages.on(ExperimentStarted)
    async def record_experiment(message: Message[ExperimentStarted]) -> None:
        await inbox.run_once(message, jobs.record_experiment)

    @messages.on(ExperimentConcluded)
    async def record_experiment_end(message: Message[ExperimentConcluded]) -> None:
        await inbox.run_once(message, jobs.record_experiment_end)

    @messages.on(DeploymentRefused)
    async def reevaluate(message: Message[DeploymentRefused]) -> None:
        await inbox.run_once(message, jobs.reevaluate)

    @messages.on(ModelDeployed)
    async def record_deployment(message: Message[ModelDeployed]) -> None:
        await inbox.run_once(message, jobs.record_deployment)
