"""Messages the trainer takes."""

from __future__ import annotations

from archon_contracts import topics
from archon_contracts.commands import CancelTraining, TrainModel
from services.trainer.service import TrainerService
from shared.kafka.broker import Router, new_router, subscription
from shared.messaging.inbox import Inbox
from shared.messaging.messages import Message


def build_router(service: TrainerService, inbox: Inbox) -> Router:
    """One handler per command; each commits its effect with its inbox row."""
    router = new_router()
    commands = subscription(router, "trainer", topics.TRAINER_COMMANDS)

    @commands.on(TrainModel)
    async def train_model(message: Message[TrainModel]) -> None:
        await inbox.run_once(message, service.accept_training)

    @commands.on(CancelTraining)
    async def cancel_training(message: Message[CancelTraining]) -> None:
        await inbox.run_once(message, service.cancel_training)

    return router
