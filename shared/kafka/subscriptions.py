"""What a service listens to: one consumer for all its topics, one handler per message type."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from opentelemetry import metrics, trace
from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AnyValue
from structlog.contextvars import bound_contextvars

from archon_contracts import telemetry, topics
from archon_contracts.base import Contract
from archon_contracts.catalogue import BY_TYPE
from archon_contracts.envelope import HeaderView
from archon_contracts.namespace import NO_NAMESPACE, Namespace
from archon_contracts.topics import Topic
from shared.errors import UnknownMessageType, UnreadableMessage
from shared.kafka.retry_policy import RetryPolicy, dead_letter_counter
from shared.kafka.watchdog import ConsumerHeartbeat
from shared.messaging.messages import (
    Message,
    RawRecord,
    find_contract,
    read_message,
    read_tenant_id,
)
from shared.telemetry.spans import remote_context

T = TypeVar("T", bound=Contract)
Handler = Callable[[Message[T]], Awaitable[None]]
RecordHandler = Callable[[RawRecord], Awaitable[None]]
BatchHandler = Callable[[list[RawRecord]], Awaitable[None]]

STRICT_TOPICS = frozenset({topics.FEEDBACK.name, *(topic.name for topic in topics.COMMAND_TOPICS)})
"""Where a type that we do not know is an error; on event topics it is somebody else's news."""

tracer = trace.get_tracer(__name__)
meter = metrics.get_meter(__name__)
# The buckets of the semantic conventions for messaging.
PROCESS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
process_duration = meter.create_histogram(
    telemetry.METRIC_PROCESS_DURATION,
    unit="s",
    explicit_bucket_boundaries_advisory=PROCESS_BUCKETS,
)
consumed = meter.create_counter(telemetry.METRIC_CONSUMED_MESSAGES, unit="{message}")


class Subscription:
    """The topics, group and handlers of one consumer."""

    def __init__(self, group_id: str, topics_read: tuple[Topic, ...], *, max_records: int) -> None:
        self.group_id = group_id
        self.topics = topics_read
        self.max_records = max_records
        self._handlers: dict[str, Handler[Any]] = {}
        self._record_handler: RecordHandler | None = None
        self.batch_handler: BatchHandler | None = None
        self._retry_policy: RetryPolicy | None = None
        self._namespace = NO_NAMESPACE
        self.heartbeat = ConsumerHeartbeat()

    def on(self, contract: type[T]) -> Callable[[Handler[T]], Handler[T]]:
        """Register the handler of one message type."""

        def register(handler: Handler[T]) -> Handler[T]:
            self._handlers[contract.message_type()] = handler
            return handler

        return register

    def on_record(self, handler: RecordHandler) -> RecordHandler:
        """Register a handler of every record, unread."""
        self._record_handler = handler
        return handler

    def on_batch(self, handler: BatchHandler) -> BatchHandler:
        """Register a handler of raw batches, which settles every record by itself."""
        self.batch_handler = handler
        return handler

    def bind(self, retry_policy: RetryPolicy, namespace: Namespace) -> None:
        """Give the policy for errors and the prefix of read topics; done when the router is
        included."""
        self._retry_policy = retry_policy
        self._namespace = namespace

    @property
    def message_types(self) -> frozenset[str]:
        """The types that have a handler here."""
        return frozenset(self._handlers)

    @property
    def retry_policy(self) -> RetryPolicy:
        """The policy for errors."""
        if self._retry_policy is None:
            raise RuntimeError("the router of this subscription is not included in a broker")
        return self._retry_policy

    async def consume(self, record: RawRecord) -> None:
        """Settle one record: handled, passed over, or set aside."""
        record = self._with_plain_topic(record)
        headers = HeaderView.of(record.headers)
        if not self._wants(record, headers.text("ce_type")):
            return
        with (
            tracer.start_as_current_span(
                f"process {record.topic}",
                context=remote_context(headers.text("traceparent")),
                kind=SpanKind.CONSUMER,
                attributes=self._attributes(record, headers),
            ),
            self._measured(record.topic),
            bound_contextvars(
                message_id=headers.text("ce_id"),
                correlation_id=headers.text("ce_correlationid"),
            ),
        ):
            await self.retry_policy.settle(record, lambda: self._handle(record), self.heartbeat)
        consumed.add(1, {telemetry.MESSAGING_DESTINATION: record.topic})

    async def consume_batch(self, records: list[RawRecord]) -> None:
        """Hand a batch to its handler until it succeeds."""
        handler = self.batch_handler
        if handler is None:
            raise RuntimeError("this subscription has no batch handler")
        if self._namespace.name:
            records = [self._with_plain_topic(record) for record in records]
        attributes: dict[str, AnyValue] = {
            telemetry.MESSAGING_SYSTEM: "kafka",
            telemetry.MESSAGING_OPERATION_NAME: "process",
            telemetry.MESSAGING_DESTINATION: records[0].topic,
            telemetry.MESSAGING_GROUP: self.group_id,
            telemetry.MESSAGING_BATCH_COUNT: len(records),
        }
        with (
            tracer.start_as_current_span(
                f"process {records[0].topic}", kind=SpanKind.CONSUMER, attributes=attributes
            ),
            self._measured(records[0].topic),
        ):
            await self.retry_policy.settle_batch(records, handler, self.heartbeat)
        consumed.add(len(records), {telemetry.MESSAGING_DESTINATION: records[0].topic})

    def begin_counters(self) -> None:
        """Show what is counted of each topic from the start, with 0."""
        for topic in self.topics:
            consumed.add(0, {telemetry.MESSAGING_DESTINATION: topic.name})
            dead_letter_counter.add(0, {"topic": topic.name})

    @contextmanager
    def _measured(self, topic: str) -> Iterator[None]:
        """Record how long one record, or one batch, took until it was settled."""
        begun = time.perf_counter()
        labels: dict[str, AnyValue] = {
            telemetry.MESSAGING_SYSTEM: "kafka",
            telemetry.MESSAGING_OPERATION_NAME: "process",
            telemetry.MESSAGING_DESTINATION: topic,
            telemetry.MESSAGING_GROUP: self.group_id,
        }
        try:
            yield
        except Exception as error:
            labels[telemetry.ERROR_TYPE] = type(error).__name__
            raise
        finally:
            process_duration.record(time.perf_counter() - begun, labels)

    def _with_plain_topic(self, record: RawRecord) -> RawRecord:
        """What is stored and traced of a record names its topic without the namespace."""
        if not self._namespace.name:
            return record
        return record._replace(topic=self._namespace.plain(record.topic))

    def _wants(self, record: RawRecord, type_name: str) -> bool:
        if self._record_handler is not None or type_name in self._handlers or record.unreadable:
            return True
        return type_name not in BY_TYPE and record.topic in STRICT_TOPICS

    async def _handle(self, record: RawRecord) -> None:
        if record.unreadable:
            raise UnreadableMessage(record.unreadable)
        if self._record_handler is not None:
            await self._record_handler(record)
            return
        handler = self._handlers.get(find_contract(HeaderView.of(record.headers)).message_type())
        if handler is None:
            raise UnknownMessageType(f"nothing here handles records of {record.topic}")
        await handler(read_message(record))

    def _attributes(self, record: RawRecord, headers: HeaderView) -> dict[str, AnyValue]:
        return {
            telemetry.MESSAGING_SYSTEM: "kafka",
            telemetry.MESSAGING_OPERATION_NAME: "process",
            telemetry.MESSAGING_OPERATION_TYPE: "process",
            telemetry.MESSAGING_DESTINATION: record.topic,
            telemetry.MESSAGING_PARTITION: str(record.partition),
            telemetry.MESSAGING_GROUP: self.group_id,
            telemetry.MESSAGING_MESSAGE_ID: headers.text("ce_id"),
            telemetry.MESSAGING_KAFKA_OFFSET: record.offset,
            telemetry.MESSAGING_KAFKA_KEY: (record.key or b"").decode(errors="replace"),
            telemetry.TENANT_ID: read_tenant_id(record.value),
        }
