"""Points of training runs by the batch of messages: a transaction each took longer than its rows.

As everywhere a message counts once: its inbox row and its points are committed together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from archon_contracts.events import MetricsRecorded
from services.gateway.read_models.projection_store import ProjectionStore
from shared.errors import PermanentError, UnknownMessageType, UnreadableMessage
from shared.kafka.retry_policy import report_dead_letter
from shared.messaging.inbox import insert_new
from shared.messaging.messages import Message, RawRecord, read_message
from shared.messaging.notifier import Notifier
from shared.messaging.outbox import Outbox
from shared.postgres.database import Database

MAXIMUM_RECORDS: Final = 500
"""Messages of one transaction: 25,000 points where a trainer sends 50 a message."""


class MetricsIntake:
    """Consumes batches of the metrics topic."""

    def __init__(
        self, database: Database, notifier: Notifier, store: ProjectionStore, outbox: Outbox
    ) -> None:
        self._database = database
        self._notifier = notifier
        self._store = store
        self._outbox = outbox

    async def consume(self, records: Sequence[RawRecord]) -> None:
        """Settle every record: stored, known already, or a dead letter.

        Raises:
            RetryableError: the batch must come again; nothing of it, or all of a part, is stored.
        """
        readable = list[tuple[RawRecord, Message[MetricsRecorded]]]()
        for record in records:
            try:
                if record.unreadable:
                    raise UnreadableMessage(record.unreadable)
                message = read_message(record)
            except UnknownMessageType:
                continue  # as on all topics of events
            except PermanentError as error:
                await self._reject(record, error)
                continue
            if isinstance(message.body, MetricsRecorded):  # others are somebody else's news
                readable.append((record, cast("Message[MetricsRecorded]", message)))
        if readable:
            await self._settle(readable)

    async def _settle(self, batch: Sequence[tuple[RawRecord, Message[MetricsRecorded]]]) -> None:
        try:
            async with self._database.across_tenants() as tx:
                # By its id: a message may be twice in a batch.
                messages = {message.envelope.id: message for _, message in batch}
                new = await insert_new(tx, list(messages.values()))
                events = [messages[each].body for each in messages if each in new]
                await self._store.save_metrics(tx, events)
                await self._store.save_training_steps(tx, events)
        except PermanentError as error:
            if len(batch) == 1:
                await self._reject(batch[0][0], error)
                return
            # The database refused a row: find its message, and store the others.
            middle = len(batch) // 2
            await self._settle(batch[:middle])
            await self._settle(batch[middle:])

    async def _reject(self, record: RawRecord, error: PermanentError) -> None:
        async with self._database.across_tenants() as tx:
            if not await self._outbox.append_dead_letter(tx, record, error=error, attempts=1):
                return  # its batch came again
        self._notifier.notify()
        report_dead_letter(record, error)
