"""A Kafka producer: sends succeed or fail in bounded time, and broker restarts are survived."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from archon_contracts.client.errors import (
    BrokerUnavailableError,
    MissingExtraError,
    SendRefusedError,
)
from archon_contracts.client.lifetime import start, stop
from archon_contracts.client.patches import GapFreeProducer
from archon_contracts.client.security import (
    MISSING_RIGHT_ERRORS,
    describe_missing_right,
    principal_in,
)
from archon_contracts.envelope import Headers
from archon_contracts.namespace import NO_NAMESPACE, Namespace

try:
    from aiokafka.errors import (
        InvalidProducerIdMapping,
        KafkaError,
        OutOfOrderSequenceNumber,
        ProducerClosed,
        ProducerFenced,
        UnknownProducerId,
    )
except ModuleNotFoundError as error:
    raise MissingExtraError("aiokafka", "kafka") from error

CLIENT_ID: Final = "archon-client"
METADATA_MAX_AGE_MS: Final = 10_000
"""How soon new partitions, a topic made again and a right given back are noticed."""
REQUEST_TIMEOUT_MS: Final = 10_000
"""A request unanswered for so long is made again on a new connection. A node that was cut off or
lost its power closes no connection, and aiokafka would wait 40 s for its answer."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """A record to send; records of one key stay in order."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers


class NamespacedProducer(GapFreeProducer):
    """The producer that everything here sends with: it is given plain names of topics."""

    def __init__(
        self, *, namespace: Namespace, client_id: str, transactional_id: str = "", **options: Any
    ) -> None:
        if transactional_id:
            options["transactional_id"] = namespace.qualify(transactional_id)
        super().__init__(client_id=namespace.qualify(client_id), **options)
        self.namespace = namespace

    async def send(self, topic: str, *arguments: Any, **options: Any) -> asyncio.Future[Any]:
        """As aiokafka's; `send_and_wait` comes through here too."""
        sent: asyncio.Future[Any] = await super().send(
            self.namespace.qualify(topic), *arguments, **options
        )
        return sent

    async def partitions_for(self, topic: str) -> set[int]:
        """As aiokafka's."""
        found: set[int] = await super().partitions_for(self.namespace.qualify(topic))
        return found


class ReliableProducer:
    """Sends records and waits until all in-sync replicas have them.

    A producer that its broker no longer knows is replaced, and what it could not send is sent
    again. So a record can arrive twice: readers recognise it by its event id.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        required_topics: Sequence[str],
        timeout_seconds: float = 15.0,
        connection: Mapping[str, Any] | None = None,
        namespace: Namespace = NO_NAMESPACE,
    ) -> None:
        """`connection` holds further options of aiokafka's producer; `KafkaSecurity` makes those
        of TLS and SASL."""
        self._options = {
            "bootstrap_servers": bootstrap_servers,
            "client_id": CLIENT_ID,
            "acks": "all",
            "enable_idempotence": True,
            "max_batch_size": 131_072,
            "metadata_max_age_ms": METADATA_MAX_AGE_MS,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            **(connection or {}),
        }
        self._namespace = namespace
        self._required_topics = [namespace.qualify(topic) for topic in required_topics]
        self._timeout = timeout_seconds
        self._replacing = asyncio.Lock()
        self._producer: NamespacedProducer | None = None

    async def start(self) -> None:
        """Connect.

        Raises:
            BrokerUnavailableError: Kafka could not be reached in time.
            TopicMissingError: Kafka was reached and lacks a required topic.
        """
        producer = NamespacedProducer(namespace=self._namespace, **self._options)
        await start(
            producer,
            required_topics=self._required_topics,
            timeout_seconds=self._timeout,
            options=self._options,
        )
        self._producer = producer

    async def stop(self) -> None:
        """Disconnect; sends that nobody waits for any more are dropped after the timeout."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop(producer, timeout_seconds=self._timeout)

    async def deliver(self, records: Sequence[OutgoingRecord]) -> None:
        """Send records in this order and return once every one is acknowledged.

        Raises:
            BrokerUnavailableError: not acknowledged in time; some may have arrived.
            SendRefusedError: Kafka does not accept one of them.
        """
        try:
            async with asyncio.timeout(self._timeout):
                await self._deliver(records)
        except TimeoutError as error:
            what = "the record" if len(records) == 1 else f"all {len(records)} records"
            raise BrokerUnavailableError(
                f"Kafka did not acknowledge {what} within {self._timeout:g} s"
            ) from error
        except MISSING_RIGHT_ERRORS as error:
            raise SendRefusedError(
                describe_missing_right(
                    error, principal=principal_in(self._options), operation="Write"
                )
            ) from error
        except KafkaError as error:
            if error.retriable or is_unusable(error):
                raise BrokerUnavailableError(f"Kafka cannot take it now: {error}") from error
            raise SendRefusedError(f"Kafka refused it: {error}") from error

    async def _deliver(self, records: Sequence[OutgoingRecord]) -> None:
        producer = self._running()
        if producer.fault is not None:
            await self._replace(producer, producer.fault)
            producer = self._running()
        try:
            await _send_all(producer, records)
        except KafkaError as error:
            if not is_unusable(error):
                raise
            await self._replace(producer, error)
            await _send_all(self._running(), records)

    async def _replace(self, lost: NamespacedProducer, reason: BaseException) -> None:
        async with self._replacing:
            if self._producer is not lost:
                return  # another send has done it
            log.warning("the broker no longer knows this producer, starting anew: %s", reason)
            # The new one first: if it cannot start, the next send finds the old one and
            # tries again.
            await self.start()
            await stop(lost, timeout_seconds=self._timeout)

    def _running(self) -> NamespacedProducer:
        if self._producer is None:
            raise BrokerUnavailableError("not connected to Kafka: start first")
        return self._producer


UNUSABLE_ERRORS: Final = (
    InvalidProducerIdMapping,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
    UnknownProducerId,
)


def is_unusable(error: BaseException) -> bool:
    """Whether the producer is of no more use: unknown to the broker, or its sender has ended."""
    return isinstance(error, UNUSABLE_ERRORS) or type(error) is KafkaError


async def _send_all(producer: NamespacedProducer, records: Sequence[OutgoingRecord]) -> None:
    pending = [
        await producer.send(record.topic, record.value, key=record.key, headers=record.headers)
        for record in records
    ]
    # Every result is fetched even when one fails: an unread one would be logged as an error.
    results = await asyncio.gather(*pending, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
