"""Messages the registry takes."""

from __future__ import annotations

from archon_contracts import topics
from archon_contracts.commands import DeployModel, RegisterModel, RollBackModel
from archon_contracts.events import (
    EvaluationCompleted,
    MetricsRecorded,
    TrainingCompleted,
    TrainingFailed,
    TrainingStarted,
)
from services.registry.service import RegistryService
from shared.kafka.broker import Router, new_router, subscription
from shared.kafka.subscriptions import Subscription
from shared.messaging.inbox import Inbox
from shared.messaging.messages import Message


def build_router(service: RegistryService, inbox: Inbox) -> Router:
    """One handler per message; each commits its effect with its inbox row."""
    router = new_router()
    messages = subscription(
        router,
        "registry",
        topics.REGISTRY_COMMANDS,
        topics.TRAINING,
        topics.METRICS,
        topics.EVALUATIONS,
    )
    _on_commands(messages, service, inbox)
    _on_runs(messages, service, inbox)
    return router


def _on_commands(messages: Subscription, service: RegistryService, inbox: Inbox) -> None:
    @messages.on(RegisterModel)
    async def register_model(message: Message[RegisterModel]) -> None:
        await inbox.run_once(message, service.register_model)

    @messages.on(DeployModel)
    async def deploy_model(message: Message[DeployModel]) -> None:
        await inbox.run_once(message, service.deploy_model)

    @messages.on(RollBackModel)
    async def roll_back_model(message: Message[RollBackModel]) -> None:
        await inbox.run_once(message, service.roll_back_model)


def _on_runs(messages: Subscription, service: RegistryService, inbox: Inbox) -> None:
    @messages.on(TrainingStarted)
    async def record_start(message: Message[TrainingStarted]) -> None:
        await inbox.run_once(message, service.record_start)

    @messages.on(TrainingCompleted)
    async def record_completion(message: Message[TrainingCompleted]) -> None:
        await inbox.run_once(message, service.record_completion)

    @messages.on(TrainingFailed)
    async def record_failure(message: Message[TrainingFailed]) -> None:
        await inbox.run_once(message, service.record_failure)

    @messages.on(MetricsRecorded)
    async def record_metrics(message: Message[MetricsRecorded]) -> None:
        await inbox.run_once(message, service.record_metrics)

    @messages.on(EvaluationCompleted)
    async def record_evaluation(message: Message[EvaluationCompleted]) -> None:
        await inbox.run_once(message, service.record_evaluation)
