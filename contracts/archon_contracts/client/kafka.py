"""Feedback straight onto Kafka: acknowledged by all replicas, keyed, traced."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from archon_contracts import telemetry
from archon_contracts.client.errors import (
    BrokerUnavailableError,
    MissingExtraError,
    SendRefusedError,
)
from archon_contracts.client.lifetime import start, stop
from archon_contracts.client.tracing import TraceHeaders, send_span
from archon_contracts.envelope import Envelope, Headers
from archon_contracts.event_ids import FeedbackEvent, event_id_of, subject_of
from archon_contracts.identifiers import EventId
from archon_contracts.topics import FEEDBACK

try:
    from aiokafka import AIOKafkaProducer
    from aiokafka.errors import KafkaError
except ModuleNotFoundError as error:
    raise MissingExtraError("aiokafka", "kafka") from error


@dataclass(frozen=True, slots=True)
class _Record:
    key: bytes
    value: bytes
    headers: Headers


class KafkaFeedbackClient:
    """Sends feedback events; use it as `async with KafkaFeedbackClient(...) as client`.

    A send returns once all in-sync replicas have the event. Events without an id get one by what
    they say (`event_id_of`), so sending the same one again after an error is safe.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        source: str,
        timeout_seconds: float = 15.0,
        connection: Mapping[str, Any] | None = None,
    ) -> None:
        """`source` names the sender (`agent/tool-picker`); `connection` holds further options of
        aiokafka's producer, such as `security_protocol` and `sasl_mechanism`."""
        self._bootstrap_servers = bootstrap_servers
        self._source = source
        self._timeout = timeout_seconds
        self._connection = dict(connection or {})
        self._producer: AIOKafkaProducer | None = None

    async def __aenter__(self) -> Self:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap_servers,
            acks="all",
            enable_idempotence=True,
            max_batch_size=131_072,
            **self._connection,
        )
        await start(producer, required_topics=[FEEDBACK.name], timeout_seconds=self._timeout)
        self._producer = producer
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop(producer, timeout_seconds=self._timeout)

    async def send(self, event: FeedbackEvent, *, event_id: EventId | None = None) -> EventId:
        """Send one event and wait until it is safe.

        Raises:
            BrokerUnavailableError: no acknowledgement in time; the event may have arrived.
            SendRefusedError: Kafka does not accept it.
        """
        event_id = event_id or event_id_of(event)
        attributes: dict[str, str | int] = {
            telemetry.MESSAGING_MESSAGE_ID: str(event_id),
            telemetry.MESSAGING_KAFKA_KEY: event.key,
            telemetry.AGENT_ID: event.agent_id,
            telemetry.TENANT_ID: event.tenant_id,
        }
        with send_span(FEEDBACK.name, attributes) as trace_headers:
            await self._deliver([self._record(event, event_id, trace_headers)])
        return event_id

    async def send_many(self, events: Iterable[FeedbackEvent]) -> list[EventId]:
        """Send several events, batched on the way, and wait until all are safe.

        Order is kept per agent. After an error some may have arrived: send all of them again.

        Raises:
            BrokerUnavailableError: not all were acknowledged in time.
            SendRefusedError: Kafka does not accept one of them.
        """
        batch = [(event, event_id_of(event)) for event in events]
        attributes: dict[str, str | int] = {telemetry.MESSAGING_BATCH_COUNT: len(batch)}
        with send_span(FEEDBACK.name, attributes) as trace_headers:
            await self._deliver([self._record(*entry, trace_headers) for entry in batch])
        return [event_id for _, event_id in batch]

    def _record(
        self, event: FeedbackEvent, event_id: EventId, trace_headers: TraceHeaders
    ) -> _Record:
        envelope = Envelope(
            id=event_id,
            source=self._source,
            type=event.message_type(),
            time=datetime.now(UTC),
            subject=subject_of(event),
            traceparent=trace_headers.get("traceparent", ""),
            tracestate=trace_headers.get("tracestate", ""),
        )
        return _Record(event.key.encode(), event.to_bytes(), envelope.to_headers())

    async def _deliver(self, records: list[_Record]) -> None:
        if self._producer is None:
            raise BrokerUnavailableError("not connected: use the client with `async with`")
        try:
            async with asyncio.timeout(self._timeout):
                await self._acknowledged(self._producer, records)
        except TimeoutError as error:
            wanted = f"{len(records)} events" if len(records) > 1 else "the event"
            raise BrokerUnavailableError(
                f"Kafka did not acknowledge {wanted} within {self._timeout:g} s"
            ) from error
        except KafkaError as error:
            if error.retriable:
                raise BrokerUnavailableError(f"Kafka cannot take the event now: {error}") from error
            raise SendRefusedError(f"Kafka refused the event: {error}") from error

    async def _acknowledged(self, producer: AIOKafkaProducer, records: list[_Record]) -> None:
        pending = [
            await producer.send(FEEDBACK.name, record.value, key=record.key, headers=record.headers)
            for record in records
        ]
        # Every result is fetched even when one fails: an unread one would be logged as an error.
        results = await asyncio.gather(*pending, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
