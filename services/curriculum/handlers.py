"""Which message leads to which use case."""

from __future__ import annotations

from archon_contracts import topics
from archon_contracts.commands import PlanCurriculum
from services.curriculum.service import CurriculumService
from shared.kafka.broker import Router, new_router, subscription
from shared.messaging.inbox import Inbox
from shared.messaging.messages import Message


def build_router(service: CurriculumService, inbox: Inbox) -> Router:
    """The subscriptions of the curriculum service."""
    router = new_router()
    commands = subscription(router, "curriculum", topics.CURRICULUM_COMMANDS)

    @commands.on(PlanCurriculum)
    async def plan_curriculum(message: Message[PlanCurriculum]) -> None:
        await inbox.run_once(message, service.plan_curriculum)

    return router
