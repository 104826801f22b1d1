"""Which message leads to which use case."""

from __future__ import annotations

from archon_contracts import topics
from archon_contracts.commands import PlanCurriculum
from archon_contracts.events import EvaluationCompleted
from services.curriculum.service import CurriculumService
from shared.kafka.broker import Router, new_router, subscription
from shared.messaging.inbox import Inbox
from shared.messaging.messages import Message


def build_router(service: CurriculumService, inbox: Inbox) -> Router:
    """The subscriptions of the curriculum service."""
    router = new_router()
    messages = subscription(router, "curriculum", topics.CURRICULUM_COMMANDS, topics.EVALUATIONS)

    @messages.on(PlanCurriculum)
    async def plan_curriculum(message: Message[PlanCurriculum]) -> None:
        await inbox.run_once(message, service.plan_curriculum)

    @messages.on(EvaluationCompleted)
    async def record_evaluation(message: Message[EvaluationCompleted]) -> None:
        await inbox.run_once(message, service.record_evaluation)

    return router
