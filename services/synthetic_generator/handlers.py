"""Which message leads to which use case."""

from __future__ import annotations

from archon_contracts import topics
from archon_contracts.commands import CancelSyntheticData, GenerateSyntheticData
from services.synthetic_generator.service import GeneratorService
from shared.kafka.broker import Router, new_router, subscription
from shared.messaging.inbox import Inbox
from shared.messaging.messages import Message


def build_router(service: GeneratorService, inbox: Inbox) -> Router:
    """The subscriptions of the synthetic generator."""
    router = new_router()
    commands = subscription(router, "synthetic_generator", topics.SYNTHETIC_GENERATOR_COMMANDS)

    @commands.on(GenerateSyntheticData)
    async def generate_synthetic_data(message: Message[GenerateSyntheticData]) -> None:
        await inbox.run_once(message, service.accept_request)

    @commands.on(CancelSyntheticData)
    async def cancel_synthetic_data(message: Message[CancelSyntheticData]) -> None:
        await inbox.run_once(message, service.cancel_request)

    return router
