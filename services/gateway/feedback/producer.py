"""The hot path: feedback directly to Kafka, answered after the broker's acknowledgement."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from archon_contracts import telemetry
from archon_contracts.envelope import Envelope, Headers
from archon_contracts.topics import FEEDBACK
from services.gateway.errors import ProducerUnavailable
from services.gateway.feedback.body_parser import OutgoingEvent
from services.gateway.load.load_shedding import InFlightLimit
from shared.clock import Clock
from shared.logging import get_logger
from shared.telemetry.spans import current_traceparent, remote_context

SOURCE = "archon/gateway"

log = get_logger(__name__)
tracer = trace.get_tracer(__name__)
partitioner = DefaultPartitioner()


class FeedbackProducer:
    """Sends events of the feedback topic with acks from all replicas.

    Records are sent one by one with their key: a batch call would scatter keys over partitions.
    """

    name = "intake"

    def __init__(
        self,
        connect: Callable[[], AIOKafkaProducer],
        clock: Clock,
        in_flight: InFlightLimit,
        *,
        timeout_seconds: float,
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._in_flight = in_flight
        self._timeout = timeout_seconds
        self._producer: AIOKafkaProducer | None = None
        self._renewing = asyncio.Lock()
        self._closed = False

    async def start(self) -> None:
        """Connect the producer before the first request; a failure is only logged."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._usable_producer()
        except (KafkaError, OSError) as error:
            log.warning("producer_not_connected", error=repr(error))

    async def run(self) -> None:
        """Stay open until cancelled; then flush and close."""
        try:
            await asyncio.Event().wait()
        finally:
            self._closed = True
            producer, self._producer = self._producer, None
            if producer is not None:
                await self._close(producer)

    async def send(self, events: Sequence[OutgoingEvent], *, traceparent: str = "") -> None:
        """Return when every event is acknowledged by all in-sync replicas.

        One producer span covers the request and is the parent of what consumers do with any of
        its records.

        Raises:
            Overloaded: too many are not acknowledged yet; none of these was sent.
            ProducerUnavailable: not all were acknowledged in time. Some may be stored, now or
                later; sending all again is safe.
        """
        with (
            self._in_flight.reserve(len(events), events[0].body.tenant_id),
            tracer.start_as_current_span(
                f"send {FEEDBACK.name}",
                context=remote_context(traceparent),
                kind=SpanKind.PRODUCER,
                attributes=_attributes(events),
            ) as span,
        ):
            try:
                async with asyncio.timeout(self._timeout):
                    await self._send_all(events)
            except (KafkaError, TimeoutError) as error:
                span.set_status(StatusCode.ERROR, type(error).__name__)
                log.warning("feedback_not_acknowledged", error=repr(error), events=len(events))
                raise ProducerUnavailable(
                    "the broker did not acknowledge in time; send the same again"
                ) from error

    async def _send_all(self, events: Sequence[OutgoingEvent]) -> None:
        producer = await self._usable_producer()
        partitions = sorted(await producer.partitions_for(FEEDBACK.name))
        attributes = _Attributes(self._clock.now(), current_traceparent())
        placed: dict[str, tuple[bytes, int]] = {}  # a request names few agents
        acknowledgements = []
        for event in events:
            key = event.body.key
            if key not in placed:
                raw = key.encode()
                placed[key] = raw, partitioner(raw, partitions, partitions)
            raw, partition = placed[key]
            acknowledgements.append(
                await producer.send(
                    FEEDBACK.name,
                    value=event.payload,
                    key=raw,
                    partition=partition,
                    headers=attributes.of(event),
                )
            )
        await asyncio.gather(*acknowledgements)

    async def _usable_producer(self) -> AIOKafkaProducer:
        """The producer, replaced when a fatal error has ended its sender task."""
        async with self._renewing:
            if self._closed:
                raise ProducerUnavailable("the gateway is stopping; send the same again")
            producer = self._producer
            if producer is not None and not producer._sender.sender_task.done():
                return producer
            if producer is not None:
                log.warning("producer_sender_died")
                self._producer = None
                await self._close(producer)
            self._producer = await self._connected()
            return self._producer

    async def _connected(self) -> AIOKafkaProducer:
        producer = self._connect()
        try:
            await producer.start()
        except BaseException:
            await self._close(producer)
            raise
        return producer

    async def _close(self, producer: AIOKafkaProducer) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await producer.stop()
        except (KafkaError, TimeoutError) as error:
            # An idempotent producer waits without end for an unavailable broker.
            log.warning("producer_not_flushed", error=repr(error))


class _Attributes:
    """CloudEvents headers; those that all events of a request share are built once."""

    def __init__(self, now: datetime, traceparent: str) -> None:
        self._now = now
        self._traceparent = traceparent
        self._shared: dict[tuple[type, str], Headers] = {}

    def of(self, event: OutgoingEvent) -> Headers:
        """The headers of one event, which is its own correlation."""
        identifier = str(event.id).encode()
        return [
            *self._shared_by(event),
            ("ce_id", identifier),
            ("ce_correlationid", identifier),
            ("ce_subject", event.body.key.encode()),
        ]

    def _shared_by(self, event: OutgoingEvent) -> Headers:
        shared = type(event.body), event.body.traffic_class or ""
        if shared not in self._shared:
            envelope = Envelope(
                id=event.id,
                source=SOURCE,
                type=event.body.message_type(),
                time=self._now,
                traceparent=self._traceparent,
                traffic_class=shared[1],
            )
            self._shared[shared] = [h for h in envelope.to_headers() if h[0] != "ce_id"]
        return self._shared[shared]


def _attributes(events: Sequence[OutgoingEvent]) -> dict[str, str | int]:
    return {
        telemetry.MESSAGING_SYSTEM: "kafka",
        telemetry.MESSAGING_OPERATION_NAME: "send",
        telemetry.MESSAGING_OPERATION_TYPE: "send",
        telemetry.MESSAGING_DESTINATION: FEEDBACK.name,
        telemetry.MESSAGING_BATCH_COUNT: len(events),
        telemetry.TENANT_ID: events[0].body.tenant_id,
    }
