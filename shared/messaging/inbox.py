"""Exactly-once effect: the message's row and its effect commit together, or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from archon_contracts.base import Contract
from shared.logging import get_logger
from shared.messaging.messages import Message
from shared.messaging.notifier import Notifier
from shared.postgres.database import Database, Tx
from shared.postgres.queries import load_queries

T = TypeVar("T", bound=Contract)
UseCase = Callable[[Tx, Message[T]], Awaitable[object]]

log = get_logger(__name__)
_queries = load_queries("shared")


async def insert_new(tx: Tx, messages: Sequence[Message[Any]]) -> set[UUID]:
    """Ids of those messages of a batch that were not handled before; their effect is to follow.

    A message that is twice in the batch is in it once, as its caller must see.
    """
    rows = _queries.insert_inbox_rows(
        tx,
        event_ids=[message.envelope.id for message in messages],
        message_types=[message.envelope.type for message in messages],
    )
    return {row["event_id"] async for row in rows}


class Inbox:
    """Runs each message's use case once, however often the message is delivered."""

    def __init__(self, database: Database, notifier: Notifier) -> None:
        self._database = database
        self._notifier = notifier

    async def run_once(self, message: Message[T], use_case: UseCase[T]) -> None:
        """Run the use case in a transaction with the inbox row; a duplicate is a logged no-op.

        The transaction is of the message's tenant, whatever else the message names.

        Raises whatever the use case raises; nothing is then committed.
        """
        async with self._database.transaction(message.body.tenant_id) as tx:
            envelope = message.envelope
            if not await _queries.insert_inbox(
                tx, event_id=envelope.id, message_type=envelope.type
            ):
                log.info("duplicate_ignored", type=envelope.type, event_id=str(envelope.id))
                return
            await use_case(tx, message)
        # After the commit: a relay that looked earlier would not see the new rows.
        self._notifier.notify()
