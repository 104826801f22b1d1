"""Commands that the registry handles."""

from __future__ import annotations

from archon_contracts import topics
from archon_contracts.commands import (
    ArchiveModel,
    DeployModel,
    LimitAnswers,
    ProtectModel,
    RegisterModel,
    RetainModels,
    RollBackModel,
)
from archon_contracts.events import AgentConfigured, FeedbackCounted
from services.registry.archiving import Archiving
from services.registry.rollout.service import Rollouts
from services.registry.service import RegistryService
from shared.kafka.broker import Router, new_router, subscription
from shared.kafka.subscriptions import Subscription
from shared.messaging.inbox import Inbox
from shared.messaging.messages import Message


def build_router(
    service: RegistryService, archiving: Archiving, rollouts: Rollouts, inbox: Inbox
) -> Router:
    """One handler per message; each commits its effect with its inbox row."""
    router = new_router()
    messages = subscription(
        router, "registry", topics.REGISTRY_COMMANDS, topics.AGENTS, topics.FEEDBACK_COUNTS
    )
    _on_commands(messages, service, archiving, inbox)
    _on_rollouts(messages, rollouts, inbox)
    return router


def _on_commands(
    commands: Subscription, service: RegistryService, archiving: Archiving, inbox: Inbox
) -> None:

    @commands.on(RegisterModel)
    async def register_model(message: Message[RegisterModel]) -> None:
        await inbox.run_once(message, service.register_model)

    @commands.on(DeployModel)
    async def deploy_model(message: Message[DeployModel]) -> None:
        await inbox.run_once(message, service.deploy_model)

    @commands.on(RollBackModel)
    async def roll_back_model(message: Message[RollBackModel]) -> None:
        await inbox.run_once(message, service.roll_back_model)

    @commands.on(LimitAnswers)
    async def limit_answers(message: Message[LimitAnswers]) -> None:
        await inbox.run_once(message, service.limit_answers)

    @commands.on(ArchiveModel)
    async def archive_model(message: Message[ArchiveModel]) -> None:
        await inbox.run_once(message, archiving.archive_model)

    @commands.on(ProtectModel)
    async def protect_model(message: Message[ProtectModel]) -> None:
        await inbox.run_once(message, archiving.protect_model)

    @commands.on(RetainModels)
    async def retain_models(message: Message[RetainModels]) -> None:
        await inbox.run_once(message, archiving.retain_models)


def _on_rollouts(messages: Subscription, rollouts: Rollouts, inbox: Inbox) -> None:
    @messages.on(AgentConfigured)
    async def record_policy(message: Message[AgentConfigured]) -> None:
        await inbox.run_once(message, rollouts.record_policy)

    @messages.on(FeedbackCounted)
    async def record_counts(message: Message[FeedbackCounted]) -> None:
        await inbox.run_once(message, rollouts.record_counts)
