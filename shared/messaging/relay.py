"""The relay: the only publisher. It sends the outbox in order and marks what is acknowledged.

A send that is not answered in time cannot be called off: aiokafka may deliver it later. So the
process ends, the supervisor starts it again, and the same event ids go out once more; inboxes
downstream drop the second copies. A message that Kafka will never take becomes a dead letter, or it
would stop the relay for ever.
"""

from __future__ import annotations

import asyncio

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError
from opentelemetry import trace
from opentelemetry.trace import SpanKind

from archon_contracts import telemetry
from archon_contracts.envelope import HeaderView
from archon_contracts.topics import dead_letters
from shared.errors import ArchonError, BrokerUnavailable, PermanentError
from shared.logging import get_logger
from shared.messaging.messages import RawHeaders, RawRecord, read_tenant_id
from shared.messaging.notifier import Waiter
from shared.messaging.outbox import Outbox, decode_headers
from shared.postgres.database import connect, translated_errors
from shared.postgres.queries import load_queries
from shared.settings import ServiceSettings
from shared.telemetry.spans import current_traceparent, remote_context

BATCH = 500
POLL_SECONDS = 1.0
LOCK_RETRY_SECONDS = 5.0
CONNECT_RETRY_SECONDS = 1.0
COMMAND_SECONDS = 30.0
"""A database that goes silent without closing the connection is left after this long."""
ENCODING_ERRORS = (AssertionError, ValueError, TypeError)
"""How aiokafka's producer says that it cannot encode a message."""
UNSENDABLE_ERRORS = (MessageSizeTooLargeError, RecordListTooLargeError, *ENCODING_ERRORS)
"""Answers that no second send will change."""

log = get_logger(__name__)
tracer = trace.get_tracer(__name__)
_queries = load_queries("shared")

Row = asyncpg.Record


class RelayStuck(BrokerUnavailable):
    """A send was not acknowledged in time; only a new process may send again."""


class Relay:
    """Publishes the shards whose lock it gets; other processes of the service take the rest."""

    name = "relay"

    def __init__(
        self, settings: ServiceSettings, producer: AIOKafkaProducer, outbox: Outbox, waiter: Waiter
    ) -> None:
        self._settings = settings
        self._producer = producer
        self._outbox = outbox
        self._waiter = waiter
        self._shards: set[int] = set()
        self._next_lock_try = 0.0

    async def run(self) -> None:
        """Relay until cancelled; a lost database is waited for.

        Raises:
            RelayStuck: see the module's text. The process must end.
        """
        while True:
            try:
                await self._relay_until_disconnected()
            except RelayStuck:
                raise
            except ArchonError as error:
                log.warning("relay_waits_for_database", reason=str(error))
                await asyncio.sleep(CONNECT_RETRY_SECONDS)

    async def _relay_until_disconnected(self) -> None:
        """Shard locks belong to the connection: both are lost together."""
        dsn = self._settings.database_url.get_secret_value()
        connection = await connect(
            dsn,
            self._settings.service,
            role=self._settings.database_role,
            command_seconds=COMMAND_SECONDS,
        )
        self._shards.clear()
        self._next_lock_try = 0.0
        try:
            while True:
                with translated_errors():
                    await self._lock_free_shards(connection)
                    sent = [await self._relay_shard(connection, s) for s in sorted(self._shards)]
                if not any(count == BATCH for count in sent):
                    await self._waiter.wait(POLL_SECONDS)
        finally:
            connection.terminate()

    async def _lock_free_shards(self, connection: asyncpg.Connection[Row]) -> None:
        now = asyncio.get_running_loop().time()
        missing = set(range(self._settings.outbox_shards)) - self._shards
        if not missing or now < self._next_lock_try:
            return
        self._next_lock_try = now + LOCK_RETRY_SECONDS
        for shard in missing:
            if await _queries.try_lock_shard(connection, shard=shard):
                self._shards.add(shard)

    async def _relay_shard(self, connection: asyncpg.Connection[Row], shard: int) -> int:
        rows = [row async for row in _queries.unpublished(connection, shard=shard, most=BATCH)]
        if rows:
            answers = await self._send_all(rows)
            refused = [(row, e) for row, e in zip(rows, answers, strict=True) if _is_unsendable(e)]
            for row, error in refused:
                await self._send_to_dead_letters(connection, row, error)
            _raise_failures(answers)
            await _queries.mark_published(connection, ids=[row["id"] for row in rows])
        return len(rows)

    async def _send_all(self, rows: list[Row]) -> list[object]:
        """Send in order and wait for every answer: an acknowledgement, or an error.

        Raises:
            RelayStuck: one did not come in time.
        """
        try:
            async with asyncio.timeout(self._settings.send_timeout_seconds):
                pending = [await self._start_send(row) for row in rows]
                return list(await asyncio.gather(*pending, return_exceptions=True))
        except TimeoutError as error:
            raise RelayStuck(
                f"Kafka did not acknowledge {len(rows)} messages: no answer in time"
            ) from error

    async def _start_send(self, row: Row) -> asyncio.Future[object]:
        """A send under way; what the client itself refuses is an answer too."""
        try:
            return await self._send(row)
        except (KafkaError, *ENCODING_ERRORS) as error:
            refused = asyncio.get_running_loop().create_future()
            refused.set_exception(error)
            return refused

    async def _send_to_dead_letters(
        self, connection: asyncpg.Connection[Row], row: Row, error: object
    ) -> None:
        """Make a refused message a dead letter; a dead letter itself is only logged."""
        log.error(
            "message_unsendable",
            topic=row["topic"],
            event_id=str(row["event_id"]),
            reason=str(error),
        )
        async with connection.transaction():
            if row["topic"] != dead_letters(self._settings.service).name:
                reason = str(error) or type(error).__name__
                unsendable = PermanentError(f"Kafka does not take this message: {reason}")
                await self._outbox.append_dead_letter(
                    connection, _record_of(row), error=unsendable, attempts=1
                )
            await _queries.mark_published(connection, ids=[row["id"]])

    async def _send(self, row: Row) -> asyncio.Future[object]:
        headers = decode_headers(row["headers"])
        view = HeaderView.of(headers)
        attributes = {
            telemetry.MESSAGING_SYSTEM: "kafka",
            telemetry.MESSAGING_OPERATION_NAME: "send",
            telemetry.MESSAGING_OPERATION_TYPE: "send",
            telemetry.MESSAGING_DESTINATION: row["topic"],
            telemetry.MESSAGING_MESSAGE_ID: str(row["event_id"]),
            telemetry.MESSAGING_KAFKA_KEY: row["key"],
            telemetry.OUTBOX_QUEUE_SECONDS: row["queue_seconds"],
            telemetry.TENANT_ID: read_tenant_id(row["payload"]),
        }
        with tracer.start_as_current_span(
            f"send {row['topic']}",
            context=remote_context(view.text("traceparent")),
            kind=SpanKind.PRODUCER,
            attributes=attributes,
        ):
            acknowledged: asyncio.Future[object] = await self._producer.send(
                row["topic"],
                value=row["payload"],
                key=_key_of(row),
                headers=list(_with_current_trace(headers)),
            )
            return acknowledged


def _key_of(row: Row) -> bytes | None:
    """An empty key is none; but aiokafka sends no record that has neither key nor value."""
    return row["key"].encode() or (b"" if row["payload"] is None else None)


def _is_unsendable(answer: object) -> bool:
    return isinstance(answer, UNSENDABLE_ERRORS)


def _raise_failures(answers: list[object]) -> None:
    failures = [a for a in answers if isinstance(a, BaseException) and not _is_unsendable(a)]
    if failures:
        raise RelayStuck(
            f"Kafka did not acknowledge {len(failures)} messages: {failures[0]}"
        ) from failures[0]


def _record_of(row: Row) -> RawRecord:
    """A message that was never on its topic: its place is its row."""
    return RawRecord(
        row["topic"],
        partition=-1,
        offset=row["id"],
        key=row["key"].encode(),
        value=row["payload"],
        headers=decode_headers(row["headers"]),
    )


def _with_current_trace(headers: RawHeaders) -> RawHeaders:
    """The header that goes out names the send span, so that the receiver hangs below it."""
    current = current_traceparent()
    if not current:
        return headers
    kept = tuple(header for header in headers if header[0] != "traceparent")
    return (*kept, ("traceparent", current.encode()))
