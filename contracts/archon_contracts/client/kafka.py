"""Feedback straight onto Kafka: acknowledged by all replicas, keyed, traced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from archon_contracts import telemetry
from archon_contracts.client.event_size import encode_event
from archon_contracts.client.producer import OutgoingRecord, ReliableProducer
from archon_contracts.client.tracing import TraceHeaders, send_span
from archon_contracts.client.traffic_class import current_traffic_class
from archon_contracts.envelope import Envelope
from archon_contracts.event_ids import FeedbackEvent, event_id_of, subject_of, with_traffic_class
from archon_contracts.identifiers import EventId
from archon_contracts.namespace import Namespace
from archon_contracts.rules.bounds import MAX_EVENT_BYTES
from archon_contracts.topics import FEEDBACK
from archon_contracts.traffic_classes import TrafficClass


class KafkaFeedbackClient:
    """Sends feedback events; use it as `async with KafkaFeedbackClient(...) as client`.

    A send returns once all in-sync replicas have the event. Events without an id get one by what
    they say and `source` (`event_id_of`), so sending the same one again after an error is safe.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        source: str,
        timeout_seconds: float = 15.0,
        connection: Mapping[str, Any] | None = None,
        traffic_class: TrafficClass | None = None,
        namespace: str = "",
        max_event_bytes: int = MAX_EVENT_BYTES,
    ) -> None:
        """`source` names the sender (`agent/tool-picker`); `connection` holds further options of
        aiokafka's producer; `KafkaSecurity(...).connection()` makes those of TLS and SASL. An agent
        that runs as a shadow or under evaluation gives its `traffic_class`: nothing that it sends
        then counts. `namespace` is that of the deployment, its `ARCHON_NAMESPACE`;
        `max_event_bytes` is its coordinator's limit, where that is not the default."""
        self._max_event_bytes = max_event_bytes
        self._source = source
        self._traffic_class = traffic_class
        self._producer = ReliableProducer(
            bootstrap_servers,
            required_topics=[FEEDBACK.name],
            timeout_seconds=timeout_seconds,
            connection=connection,
            namespace=Namespace(namespace),
        )

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._producer.stop()

    async def send(self, event: FeedbackEvent, *, event_id: EventId | None = None) -> EventId:
        """Send one event and wait until it is safe.

        Raises:
            BrokerUnavailableError: no acknowledgement in time; the event may have arrived.
            SendRefusedError: Kafka does not accept it.
            EventTooLargeError: it is above `max_event_bytes`.
        """
        event = with_traffic_class(event, self._traffic_class, current_traffic_class())
        event_id = event_id or event_id_of(event, self._source)
        attributes: dict[str, str | int] = {
            telemetry.MESSAGING_MESSAGE_ID: str(event_id),
            telemetry.MESSAGING_KAFKA_KEY: event.key,
            telemetry.AGENT_ID: event.agent_id,
            telemetry.TENANT_ID: event.tenant_id,
        }
        with send_span(FEEDBACK.name, attributes) as trace_headers:
            await self._producer.deliver([self._record(event, event_id, trace_headers)])
        return event_id

    async def send_many(self, events: Iterable[FeedbackEvent]) -> list[EventId]:
        """Send several events, batched on the way, and wait until all are safe.

        Order is kept per agent. After an error some may have arrived: send all of them again.

        Raises:
            BrokerUnavailableError: not all were acknowledged in time.
            SendRefusedError: Kafka does not accept one of them.
            EventTooLargeError: one of them is above `max_event_bytes`; none was sent.
        """
        around = current_traffic_class()
        batch = [
            (
                with_traffic_class(event, self._traffic_class, around),
                event_id_of(event, self._source),
            )
            for event in events
        ]
        attributes: dict[str, str | int] = {telemetry.MESSAGING_BATCH_COUNT: len(batch)}
        with send_span(FEEDBACK.name, attributes) as trace_headers:
            # All are encoded before the first is sent: one that is too large refuses
            # the whole batch.
            records = [self._record(event, event_id, trace_headers) for event, event_id in batch]
            await self._producer.deliver(records)
        return [event_id for _, event_id in batch]

    def _record(
        self, event: FeedbackEvent, event_id: EventId, trace_headers: TraceHeaders
    ) -> OutgoingRecord:
        envelope = Envelope(
            id=event_id,
            source=self._source,
            type=event.message_type(),
            time=datetime.now(UTC),
            subject=subject_of(event),
            traceparent=trace_headers.get("traceparent", ""),
            tracestate=trace_headers.get("tracestate", ""),
            traffic_class=event.traffic_class or "",
        )
        return OutgoingRecord(
            FEEDBACK.name,
            event.key.encode(),
            encode_event(event, self._max_event_bytes),
            envelope.to_headers(),
        )
