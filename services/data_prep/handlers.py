"""Which message leads to which use case."""

from __future__ import annotations

from archon_contracts import topics
from archon_contracts.commands import EraseItems, PrepareDataset
from services.data_prep.service import DataPrepService
from shared.kafka.broker import Router, new_router, subscription
from shared.messaging.inbox import Inbox
from shared.messaging.messages import Message


def build_router(service: DataPrepService, inbox: Inbox) -> Router:
    """The subscriptions of data preparation."""
    router = new_router()
    commands = subscription(router, "data_prep", topics.DATA_PREP_COMMANDS)

    @commands.on(PrepareDataset)
    async def prepare_dataset(message: Message[PrepareDataset]) -> None:
        await inbox.run_once(message, service.queue_preparation)

    @commands.on(EraseItems)
    async def erase_items(message: Message[EraseItems]) -> None:
        await inbox.run_once(message, service.erase_items)

    return router
