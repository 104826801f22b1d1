"""Which message leads to which use case."""

from __future__ import annotations

from archon_contracts import topics
from archon_contracts.commands import EraseItems, PrepareDataset
from archon_contracts.events import ModelDeployed, ModelRegistered, ModelRolledBack
from services.data_prep.service import DataPrepService
from shared.kafka.broker import Router, new_router, subscription
from shared.messaging.inbox import Inbox
from shared.messaging.messages import Message


def build_router(service: DataPrepService, inbox: Inbox) -> Router:
    """The subscriptions of data preparation."""
    router = new_router()
    messages = subscription(router, "data_prep", topics.DATA_PREP_COMMANDS, topics.MODELS)

    @messages.on(PrepareDataset)
    async def prepare_dataset(message: Message[PrepareDataset]) -> None:
        await inbox.run_once(message, service.queue_preparation)

    @messages.on(EraseItems)
    async def erase_items(message: Message[EraseItems]) -> None:
        await inbox.run_once(message, service.erase_items)

    @messages.on(ModelRegistered)
    async def record_registration(message: Message[ModelRegistered]) -> None:
        await inbox.run_once(message, service.record_registration)

    @messages.on(ModelDeployed)
    async def record_deployment(message: Message[ModelDeployed]) -> None:
        await inbox.run_once(message, service.record_deployment)

    @messages.on(ModelRolledBack)
    async def record_rollback(message: Message[ModelRolledBack]) -> None:
        await inbox.run_once(message, service.record_rollback)

    return router
