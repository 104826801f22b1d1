"""The hot path: feedback straight to Kafka, answered after the broker's acknowledgement."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

from aiokafka.errors import InvalidTimestampError, KafkaError
from aiokafka.partitioner import DefaultPartitioner
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from archon_contracts import telemetry
from archon_contracts.client.patches import GapFreeProducer, InvalidRecordError
from archon_contracts.client.producer import is_unusable
from archon_contracts.client.security import MISSING_RIGHT_ERRORS
from archon_contracts.envelope import Envelope, Headers
from archon_contracts.topics import FEEDBACK
from services.gateway.errors import (
    FieldError,
    Invalid,
    NotAllowed,
    ProducerUnavailable,
    TooLarge,
)
from services.gateway.feedback.body_parser import OutgoingEvent
from services.gateway.load.load_shedding import InFlightLimit
from shared.errors import ArchonError, BrokerUnavailable
from shared.kafka.producer import HealingProducer
from shared.kafka.refusals import TOO_LARGE_ERRORS, describe_error
from shared.kafka.topic_limits import DEFAULT_RECORD_BYTES, TopicLimits
from shared.logging import get_logger
from shared.messaging.gateway_mac import MAC_HEADER, GatewayMac
from shared.ports import Clock
from shared.telemetry.spans import current_traceparent, remote_context

SOURCE = "archon/gateway"
REFUSALS = (
    *MISSING_RIGHT_ERRORS,
    *TOO_LARGE_ERRORS,
    InvalidRecordError,
    InvalidTimestampError,
)
"""What Kafka will not take, now or later, until somebody changes the event or the rights."""

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
        producer: HealingProducer,
        clock: Clock,
        in_flight: InFlightLimit,
        *,
        principal: str,
        timeout_seconds: float,
        topic: str = FEEDBACK.name,
        mac: GatewayMac | None = None,
        read_limits: Callable[[], Awaitable[Mapping[str, TopicLimits]]] | None = None,
        record_bytes: int = DEFAULT_RECORD_BYTES,
    ) -> None:
        """`topic` is the feedback topic's name on Kafka, for texts to people; `read_limits`
        asks for what it takes, to name it in a refusal, and at the start to warn where it is less
        than an event of `record_bytes`."""
        self._topic = topic
        self._producer = producer
        self._clock = clock
        self._in_flight = in_flight
        self._principal = principal
        self._mac = mac
        self._timeout = timeout_seconds
        self._read_limits = read_limits
        self._record_bytes = record_bytes

    async def start(self) -> None:
        """Connect, so that the first request need not; a broker that is away is only reported."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._producer.connected()
        except (KafkaError, OSError) as error:
            self._report(error)

    async def warn_of_limits(self) -> None:
        """Say once where the topic takes less than the gateway does."""
        for warning in (await self._limits()).warnings(self._topic, self._record_bytes):
            log.warning("kafka_topic_limit", reason=warning)

    async def _limits(self) -> TopicLimits:
        found = await self._read_limits() if self._read_limits is not None else {}
        return found.get(self._topic, TopicLimits())

    @property
    def connection_faults(self) -> str:
        """What is wrong with this process's connections to Kafka, in one line; empty: nothing."""
        return self._producer.states.summary()

    async def run(self) -> None:
        """Stay open until cancelled; then flush and close."""
        try:
            await asyncio.Event().wait()
        finally:
            await self._producer.close(timeout_seconds=self._timeout)

    async def send(self, events: Sequence[OutgoingEvent], *, traceparent: str = "") -> None:
        """Return when every event is acknowledged by all in-sync replicas.

        One producer span covers the request and is the parent of what consumers do with any of
        its records.

        Raises:
            Overloaded: too many are not acknowledged yet; none of these was sent.
            ProducerUnavailable: not all were acknowledged in time. Some may be stored, now or
                later: sending all again is safe.
            TooLarge: the topic does not take one of them; the others are stored.
            NotAllowed: the gateway may not write to the topic.
            Invalid: the broker does not take one of them for another reason.
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
                answers = await self._send_in_time(events)
            except BrokerUnavailable as error:  # our own: this connection is closed
                raise ProducerUnavailable("the gateway is stopping; send the same again") from error
            except (KafkaError, TimeoutError) as error:
                span.set_status(StatusCode.ERROR, type(error).__name__)
                raise ProducerUnavailable(f"{self._report(error)}; send the same again") from error
            for number, answer in enumerate(answers):
                if isinstance(answer, BaseException):
                    span.set_status(StatusCode.ERROR, type(answer).__name__)
                    raise await self._refusal(number, answer, len(events)) from answer
            self._producer.states.clear(self.name)

    async def _send_in_time(self, events: Sequence[OutgoingEvent]) -> list[object]:
        """The answers: an acknowledgement or, where Kafka refused an event for good, its error.

        Raises:
            TimeoutError: not all came in time.
            KafkaError: one may succeed when it is sent again.
        """
        producer: GapFreeProducer | None = None
        try:
            async with asyncio.timeout(self._timeout):
                producer = await self._producer.connected()
                answers = await self._send_all(producer, events)
        except TimeoutError as error:
            # Why the broker kept us waiting is worth more than that it did.
            raise (producer.retried_error if producer else None) or error from error
        except REFUSALS as error:  # met before anything was sent, as by the metadata
            return [error]
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, REFUSALS):
                if producer.fault is not None or is_unusable(answer):
                    self._producer.retire(producer, answer)
                raise answer
        return answers

    async def _send_all(
        self, producer: GapFreeProducer, events: Sequence[OutgoingEvent]
    ) -> list[object]:
        partitions = sorted(await producer.partitions_for(FEEDBACK.name))
        attributes = _Attributes(self._clock.now(), current_traceparent(), self._mac)
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
        # Every answer is fetched even when one fails: an unread one would be logged as an error.
        return list(await asyncio.gather(*acknowledgements, return_exceptions=True))

    def _report(self, error: BaseException) -> str:
        """Let readiness know; the sentence for whoever sent."""
        problem = describe_error(
            error, principal=self._principal, operation="Write", topic=self._topic
        )
        self._producer.states.report(self.name, problem)
        return f"the broker did not acknowledge in time ({problem})"

    async def _refusal(self, number: int, error: BaseException, count: int) -> ArchonError:
        """The answer to the sender of an event that Kafka refused for good."""
        others = "; the others are stored or refused alike" if count > 1 else ""
        if isinstance(error, MISSING_RIGHT_ERRORS):
            self._report(error)
            return NotAllowed(
                describe_error(
                    error, principal=self._principal, operation="Write", topic=self._topic
                )
            )
        if isinstance(error, TOO_LARGE_ERRORS):
            limit = (await self._limits()).message_bytes
            size = f"{limit} bytes" if limit else "its max.message.bytes"
            return TooLarge(
                f"events[{number}]: Kafka's topic {self._topic} takes no record above "
                f"{size}{others}"
            )
        reason = f"Kafka does not take this event: {error}{others}"
        return Invalid([FieldError(f"events[{number}]", "refused_by_broker", reason)])


class _Attributes:
    """CloudEvents headers; what all events of a request share is made once."""

    def __init__(self, now: datetime, traceparent: str, mac: GatewayMac | None) -> None:
        self._now = now
        self._mac = mac
        self._traceparent = traceparent
        self._shared: dict[tuple[type, str, str], Headers] = {}

    def of(self, event: OutgoingEvent) -> Headers:
        """The headers of one event, which is its own correlation."""
        identifier = str(event.id).encode()
        headers = [
            *self._shared_by(event),
            ("ce_id", identifier),
            ("ce_correlationid", identifier),
            ("ce_subject", event.body.key.encode()),
        ]
        if self._mac is not None:
            # The MAC covers id, submitter and body: none of them can be changed on the topic.
            submitted_by = event.submitted_by.encode()
            headers.append((MAC_HEADER, self._mac.compute(identifier, submitted_by, event.payload)))
        return headers

    def _shared_by(self, event: OutgoingEvent) -> Headers:
        shared = type(event.body), event.body.traffic_class or "", event.submitted_by
        if shared not in self._shared:
            envelope = Envelope(
                id=event.id,
                source=SOURCE,
                type=event.body.message_type(),
                time=self._now,
                traceparent=self._traceparent,
                traffic_class=shared[1],
                submitted_by=shared[2],
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
