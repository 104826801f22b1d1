"""The relay: the only publisher. It sends the outbox in order and marks what is acknowledged.

An outage of Kafka, however long, is waited for. What is not acknowledged in time is sent again by a
new producer, in the same order and with the same event ids: should the first copy arrive after all,
inboxes downstream drop the second, and the first copies of a key are in order either way.

A message that Kafka will never take becomes a dead letter, or it would stop the relay for ever. A
topic that we may not write to, or that is not there, waits by itself: its messages stay in the
outbox, are tried again every few seconds, and keep no other topic waiting.
"""

from __future__ import annotations

import asyncio

import asyncpg
from aiokafka.errors import (
    InvalidTimestampError,
    InvalidTopicError,
    KafkaError,
    UnknownTopicOrPartitionError,
)
from opentelemetry import trace
from opentelemetry.trace import SpanKind

from archon_contracts import telemetry
from archon_contracts.client.patches import GapFreeProducer, InvalidRecordError
from archon_contracts.client.security import MISSING_RIGHT_ERRORS
from archon_contracts.envelope import HeaderView
from archon_contracts.topics import dead_letters
from shared.errors import ArchonError, PermanentError
from shared.kafka.producer import HealingProducer
from shared.kafka.refusals import (
    TOO_LARGE_ERRORS,
    describe_error,
    principal_of,
)
from shared.logging import get_logger
from shared.messaging.messages import RawHeaders, RawRecord, read_tenant_id
from shared.messaging.notifier import Waiter
from shared.messaging.outbox import Outbox, decode_headers
from shared.postgres.database import connect, translated_errors
from shared.postgres.queries import load_queries
from shared.settings import ServiceSettings
from shared.telemetry.spans import current_traceparent, remote_context

BATCH = 500
# Commits notify the relay; the poll finds what an ended process left without a notification.
POLL_SECONDS = 1.0
LOCK_RETRY_SECONDS = 5.0
CONNECT_RETRY_SECONDS = 1.0
COMMAND_SECONDS = 30.0
"""A database that goes silent without closing the connection is left after this long."""
ENCODING_ERRORS = (AssertionError, ValueError, TypeError)
"""How aiokafka's producer says that it cannot encode a message."""
UNSENDABLE_ERRORS = (*TOO_LARGE_ERRORS, InvalidRecordError, *ENCODING_ERRORS)
"""Answers that no second send will change."""
BLOCKING_ERRORS = (
    *MISSING_RIGHT_ERRORS,
    InvalidTopicError,
    UnknownTopicOrPartitionError,
    InvalidTimestampError,  # the relay's time is that of the send, so the clock is at fault
)
"""Answers that hold for every message of a topic, until somebody changes something."""
# Other topics go on meanwhile: only the blocked topic's rows are left out of the query.
BLOCKED_SECONDS = 5.0
LATE_SECONDS = 10.0
MAXIMUM_BACKOFF_SECONDS = 5.0

log = get_logger(__name__)
tracer = trace.get_tracer(__name__)
_queries = load_queries("shared")

Row = asyncpg.Record


class Relay:
    """Publishes the shards whose lock it gets; other processes of the service take the rest."""

    name = "relay"

    def __init__(
        self, settings: ServiceSettings, producer: HealingProducer, outbox: Outbox, waiter: Waiter
    ) -> None:
        self._settings = settings
        self._producer = producer
        self._outbox = outbox
        self._waiter = waiter
        self._shards: set[int] = set()
        self._next_lock_try = 0.0
        self._blocked_until: dict[str, float] = {}
        self._backoff = 0.0

    async def run(self) -> None:
        """Relay until cancelled; a lost database is waited for, and so is Kafka."""
        while True:
            try:
                await self._relay_until_disconnected()
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
        # A new connection holds no lock: another process may relay those shards by now.
        self._shards.clear()
        self._next_lock_try = 0.0
        try:
            while True:
                with translated_errors():
                    await self._lock_free_shards(connection)
                    sent = [await self._relay_shard(connection, s) for s in sorted(self._shards)]
                if self._backoff:
                    await asyncio.sleep(self._backoff)
                # A full batch means that more is waiting: no pause then.
                elif not any(count == BATCH for count in sent):
                    await self._waiter.wait(POLL_SECONDS)
        finally:
            # Not close(): on a dead connection that would wait for the server's answer.
            connection.terminate()

    async def _lock_free_shards(self, connection: asyncpg.Connection[Row]) -> None:
        now = asyncio.get_running_loop().time()
        missing = set(range(self._settings.outbox_shards)) - self._shards
        if not missing or now < self._next_lock_try:
            return
        # Another process may have a shard for days; asking in every pass would only load the
        # database.
        self._next_lock_try = now + LOCK_RETRY_SECONDS
        for shard in missing:
            # Locks of the session, which outlast the many transactions of a pass and
            # end with the connection.
            if await _queries.try_lock_shard(connection, shard=shard):
                self._shards.add(shard)

    async def _relay_shard(self, connection: asyncpg.Connection[Row], shard: int) -> int:
        now = asyncio.get_running_loop().time()
        blocked = [topic for topic, until in self._blocked_until.items() if until > now]
        unpublished = _queries.unpublished(connection, shard=shard, most=BATCH, blocked=blocked)
        rows = [row async for row in unpublished]
        if rows:
            answers = await self._send_all(rows)
            for row, answer in zip(rows, answers, strict=True):
                if isinstance(answer, UNSENDABLE_ERRORS):
                    await self._send_to_dead_letters(connection, row, answer)
            acknowledged = [
                row["id"]
                for row, answer in zip(rows, answers, strict=True)
                if not isinstance(answer, BaseException)
            ]
            # A crash before this line sends them again; inboxes drop the second copy by its event
            # id.
            await _queries.mark_published(connection, ids=acknowledged)
        return len(rows)

    async def _send_all(self, rows: list[Row]) -> list[object]:
        """Send in order and wait; the answer to each is an acknowledgement, or an error."""
        pending: list[asyncio.Future[object]] = []
        producer: GapFreeProducer | None = None
        late: BaseException | None = None
        # Readiness says it long before the send is made anew.
        report = asyncio.get_running_loop().call_later(
            LATE_SECONDS, lambda: self._report_late(producer, rows[0]["topic"])
        )
        try:
            async with asyncio.timeout(self._settings.send_timeout_seconds):
                producer = await self._producer.connected()
                refused: dict[str, BaseException] = {}
                for row in rows:
                    pending.append(await self._start_send(producer, row, refused))
                # Unlike gather, a timeout leaves the futures alone: some may be acknowledged.
                await asyncio.wait(pending)
        except (TimeoutError, KafkaError, OSError) as error:
            late = (producer.retried_error if producer else None) or error
        finally:
            report.cancel()
        answers = [_answer_of(future) for future in pending]
        answers += [late or TimeoutError() for _ in rows[len(pending) :]]
        self._learn(rows, answers, producer, late)
        return answers

    async def _start_send(
        self, producer: GapFreeProducer, row: Row, refused: dict[str, BaseException]
    ) -> asyncio.Future[object]:
        """A send under way; what the client itself refuses is an answer too."""
        try:
            if row["topic"] in refused:  # each would wait as long as the first for its topic
                raise refused[row["topic"]]
            return await self._send(producer, row)
        except (KafkaError, *ENCODING_ERRORS) as error:
            if isinstance(error, BLOCKING_ERRORS):
                refused[row["topic"]] = error
            answer = asyncio.get_running_loop().create_future()
            answer.set_exception(error)
            return answer

    def _learn(
        self,
        rows: list[Row],
        answers: list[object],
        producer: GapFreeProducer | None,
        late: BaseException | None,
    ) -> None:
        """Wait with a blocked topic, replace a producer that does not deliver, say so."""
        now = asyncio.get_running_loop().time()
        problem, failure = "", late
        for row, answer in zip(rows, answers, strict=True):
            if isinstance(answer, BLOCKING_ERRORS):
                self._blocked_until[row["topic"]] = now + BLOCKED_SECONDS
                problem = self._describe(answer, row["topic"])
            elif isinstance(answer, BaseException) and not isinstance(answer, UNSENDABLE_ERRORS):
                failure = late or answer
                problem = self._describe(failure, row["topic"])
        states, name = self._producer.states, self._producer.name
        if failure is None:
            self._backoff = 0.0
        else:
            self._backoff = min(self._backoff * 2 or 0.25, MAXIMUM_BACKOFF_SECONDS)
            if producer is not None:
                self._producer.retire(producer, failure)
        if problem or failure is not None:
            states.report(name, problem or repr(failure))
        elif not any(until > now for until in self._blocked_until.values()):
            states.clear(name)

    def _report_late(self, producer: GapFreeProducer | None, topic: str) -> None:
        error = (producer.retried_error if producer else None) or TimeoutError()
        self._producer.states.report(self._producer.name, self._describe(error, topic))

    def _describe(self, error: BaseException, topic: str) -> str:
        return describe_error(
            error,
            principal=principal_of(self._settings),
            operation="Write",
            topic=self._settings.kafka_namespace.qualify(topic),
        )

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
            # A letter about a letter would be refused for the same reason, without end.
            if row["topic"] != dead_letters(self._settings.service).name:
                reason = str(error) or type(error).__name__
                unsendable = PermanentError(f"Kafka does not take this message: {reason}")
                await self._outbox.append_dead_letter(
                    connection, _record_of(row), error=unsendable, attempts=1
                )
            await _queries.mark_published(connection, ids=[row["id"]])

    async def _send(self, producer: GapFreeProducer, row: Row) -> asyncio.Future[object]:
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
            # The cause's span ended long ago, perhaps in another process: the header is the only
            # link.
            context=remote_context(view.text("traceparent")),
            kind=SpanKind.PRODUCER,
            attributes=attributes,
        ):
            acknowledged: asyncio.Future[object] = await producer.send(
                row["topic"],
                value=row["payload"],
                key=_key_of(row),
                headers=list(_with_current_trace(headers)),
            )
            return acknowledged


def _key_of(row: Row) -> bytes | None:
    """An empty key is none; but aiokafka sends no record that has neither key nor value."""
    return row["key"].encode() or (b"" if row["payload"] is None else None)


def _answer_of(future: asyncio.Future[object]) -> object:
    """What is known of a send now; an answer that comes later is nobody's any more."""
    if not future.done():
        future.cancel()
        return TimeoutError()
    return future.exception() or future.result()


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
