"""FastStream on Kafka, made safe: tolerant parser, explicit ack policy, one consumer each.

FastStream's default acknowledges first and can lose messages; its parser drops records whose
headers it cannot read; its retry is an endless hot loop. Here every subscription negatively
acknowledges on error, records are handed over raw, and `RetryPolicy` settles each of them, so that
an error reaches FastStream only when the database is away for minutes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

from aiokafka import ConsumerRecord
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from faststream import AckPolicy, BaseMiddleware
from faststream.kafka import KafkaBroker, KafkaRouter
from faststream.message import StreamMessage

from archon_contracts.client.patches import abandon, member_id
from archon_contracts.client.producer import METADATA_MAX_AGE_MS
from archon_contracts.client.security import MISSING_RIGHT_ERRORS
from archon_contracts.client.subscription import READER_REQUEST_TIMEOUT_MS
from archon_contracts.topics import Topic, consumer_group
from shared.errors import StartupFailed
from shared.kafka.connections import ConnectionStates
from shared.kafka.consumer import ServiceConsumer
from shared.kafka.healing import SupervisedConsumer
from shared.kafka.patches import use_consumer_class
from shared.kafka.refusals import describe_error, principal_of
from shared.kafka.retry_policy import RetryPolicy
from shared.kafka.security import (
    broker_security,
    client_arguments,
    explain_refusal,
    token_provider,
)
from shared.kafka.subscriptions import Subscription
from shared.kafka.tolerant_records import UndecodableValue, install_tolerant_records
from shared.messaging.messages import RawRecord
from shared.settings import ServiceSettings

REACHABILITY_TIMEOUT_SECONDS = 5.0
CLOSE_TIMEOUT_SECONDS = 2.0

Original = Callable[[Any], Awaitable[StreamMessage[Any]]]


class Router(KafkaRouter):
    """A FastStream router that remembers its subscriptions."""

    def __init__(self) -> None:
        super().__init__(ack_policy=AckPolicy.NACK_ON_ERROR)
        self.readers: list[tuple[Subscription, Any]] = []

    @property
    def subscriptions(self) -> list[Subscription]:
        """Without FastStream's part of each."""
        return [bound for bound, _ in self.readers]


def new_router() -> Router:
    """The router of one service."""
    return Router()


def subscription(router: Router, service: str, *topics: Topic) -> Subscription:
    """Listen to `topics` with one consumer of the service's group."""
    return raw_subscription(router, service, *topics, group_suffix="")


def raw_subscription(
    router: Router,
    service: str,
    *topics: Topic,
    group_suffix: str,
    batch: bool = False,
    max_records: int = 2_000,
) -> Subscription:
    """Listen with a group of its own: for raw records, or raw batches of up to `max_records`."""
    bound = Subscription(consumer_group(service, group_suffix), topics, max_records=max_records)
    names = [topic.name for topic in topics]
    subscriber: Any
    if batch:
        subscriber = router.subscriber(
            *names,
            batch=True,
            max_records=max_records,
            batch_timeout_ms=10,  # its sleep after an empty batch; the wait is the consumer's
            parser=_parse_batch,
            decoder=_decode_batch,
            **_consumer_options(bound.group_id),
        )
        subscriber(bound.consume_batch)
    else:
        subscriber = router.subscriber(
            *names, parser=_parse, decoder=_decode, **_consumer_options(bound.group_id)
        )
        subscriber(bound.consume)
    router.readers.append((bound, subscriber))
    return bound


# A killed process stays a member of its group until this is over, and the one that replaces it
# gets no partitions before: it has to be well below `start_timeout_seconds`.
SESSION_TIMEOUT_MS: Final = 10_000


def _consumer_options(group_id: str) -> dict[str, Any]:
    return {
        "group_id": group_id,
        "ack_policy": AckPolicy.NACK_ON_ERROR,
        # A new group begins with what is there: a service added later must not miss events.
        "auto_offset_reset": "earliest",
        # Other clients may write in transactions; what they abort must not be read.
        "isolation_level": "read_committed",
        "session_timeout_ms": SESSION_TIMEOUT_MS,
        # A third of the session time-out at most, as Kafka advises: two lost heartbeats
        # end no membership.
        "heartbeat_interval_ms": 3_000,
        # Longer than any handler and its wait for the database, or the group would evict the
        # consumer.
        "max_poll_interval_ms": 300_000,
        "rebalance_timeout_ms": 60_000,
    }


async def _parse(record: ConsumerRecord[Any, Any], original: Original) -> StreamMessage[Any]:
    # The library's parser decodes headers and loses records whose headers do not decode.
    parsed = await original(replace(record, headers=()))
    parsed.raw_message = record
    return parsed


async def _parse_batch(
    records: tuple[ConsumerRecord[Any, Any], ...], original: Original
) -> StreamMessage[Any]:
    parsed = await original((replace(records[0], headers=()),))
    parsed.raw_message = records
    return parsed


async def _decode(message: StreamMessage[Any], _original: Original) -> RawRecord:
    return _raw(message.raw_message)


async def _decode_batch(message: StreamMessage[Any], _original: Original) -> list[RawRecord]:
    return [_raw(record) for record in message.raw_message]


def _raw(record: ConsumerRecord[Any, Any]) -> RawRecord:
    return RawRecord(
        record.topic,
        record.partition,
        record.offset,
        record.key,
        record.value,
        record.headers,
        record.timestamp,
        record.value.reason if isinstance(record.value, UndecodableValue) else "",
    )


class ReleaseMessageMiddleware(BaseMiddleware):
    """Takes the message out of FastStream's context while it is handled.

    Whatever is begun meanwhile and stays, such as a connection of the pool, keeps a copy of the
    context for as long as it lives, and would keep the message with it: a batch each.
    """

    async def consume_scope(
        self, call_next: Callable[[StreamMessage[Any]], Awaitable[Any]], msg: StreamMessage[Any]
    ) -> Any:
        """Handle the message, which the handler is given."""
        with self.context.scope("message", None):
            return await call_next(msg)


class Broker:
    """The service's connection to Kafka for reading; the relay alone writes."""

    def __init__(self, settings: ServiceSettings, retry_policy: RetryPolicy) -> None:
        self._settings = settings
        self._retry_policy = retry_policy
        self._stopping = False
        self.states = ConnectionStates()
        self.routers: list[Router] = []
        # Of consumers that were replaced, by their group: the next one rejoins in their place.
        self._member_ids: dict[str, str] = {}
        self._broker = KafkaBroker(
            settings.kafka_bootstrap_servers.split(","),
            # Here and not by `ServiceConsumer`: the library's producer and admin have it too.
            client_id=settings.kafka_namespace.qualify(f"archon.{settings.service}"),
            security=broker_security(settings),
            sasl_oauth_token_provider=token_provider(settings),
            acks="all",
            enable_idempotence=True,
            metadata_max_age_ms=METADATA_MAX_AGE_MS,
            request_timeout_ms=READER_REQUEST_TIMEOUT_MS,
            # A misspelt topic must fail at the start and not come into being with one partition.
            allow_auto_create_topics=False,
            # The library would cast arguments by their annotations; records stay as they were read.
            apply_types=False,
            middlewares=[ReleaseMessageMiddleware],
            graceful_timeout=settings.shutdown_timeout_seconds,
            logger=logging.getLogger("archon.faststream"),
        )

    def include_router(self, router: Router) -> None:
        """Take on a service's subscriptions."""
        namespace = self._settings.kafka_namespace
        for bound in router.subscriptions:
            bound.bind(self._retry_policy, namespace)
        self.routers.append(router)
        # Only topics take the library's prefix; `ServiceConsumer` qualifies the group.
        self._broker.include_router(router, prefix=namespace.prefix)

    async def start(self) -> None:
        """Connect and begin to consume.

        Raises:
            StartupFailed: Kafka does not answer in time, or does not let us in.
        """
        try:
            async with asyncio.timeout(self._settings.start_timeout_seconds):
                await self._install_service_consumers()
                await self._broker.start()
            for router in self.routers:
                for bound in router.subscriptions:
                    bound.begin_counters()
        except (TimeoutError, KafkaError, OSError) as error:
            if isinstance(error, MISSING_RIGHT_ERRORS):
                missing = describe_error(error, principal=principal_of(self._settings))
                raise StartupFailed(missing) from error
            if refusal := await explain_refusal(client_arguments(self._settings), final=True):
                raise StartupFailed(refusal) from error
            raise StartupFailed(
                f"Kafka at {self._settings.kafka_bootstrap_servers} does not answer "
                f"({str(error) or 'no answer in time'}); check ARCHON_KAFKA_BOOTSTRAP_SERVERS"
            ) from error

    async def _install_service_consumers(self) -> None:
        """From the first fetch on; FastStream settles what it builds when it connects."""
        install_tolerant_records()
        await self._broker.connect()
        wait = self._settings.kafka_empty_fetch_wait_max_ms / 1000
        namespace = self._settings.kafka_namespace

        def build(*, group_id: str, **options: Any) -> ServiceConsumer:
            return ServiceConsumer(
                group_id=group_id,
                member_id=self._member_ids.get(group_id, ""),
                namespace=namespace,
                idle_wait_seconds=wait,
                **options,
            )

        use_consumer_class(self._broker, build)

    async def stop(self) -> None:
        """Stop consuming; handlers get their time to finish. A consumer that does not close well
        must not keep the rest of the process from its own orderly end."""
        self._stopping = True
        try:
            async with asyncio.timeout(
                self._settings.shutdown_timeout_seconds + CLOSE_TIMEOUT_SECONDS
            ):
                await self._broker.stop()
        except (TimeoutError, ExceptionGroup, KafkaError, OSError) as error:
            reason = str(error) or "not in time"
            logging.getLogger("archon.faststream").warning("Kafka did not close: %s", reason)

    @property
    def consumers(self) -> list[Any]:
        """The running aiokafka consumers."""
        found = (getattr(s, "consumer", None) for s in self._broker.subscribers)
        return [consumer for consumer in found if consumer is not None]

    @property
    def supervised_consumers(self) -> list[SupervisedConsumer]:
        """The same, each with its own heartbeat and what replaces it; none during the stop."""
        if self._stopping:
            return []
        readers = [reader for router in self.routers for reader in router.readers]
        return [
            SupervisedConsumer(
                self._settings.kafka_namespace.qualify(bound.group_id),
                each.consumer,
                bound.heartbeat,
                partial(self._replace, each),
            )
            for bound, each in readers
        ]

    async def _replace(self, reader: Any) -> None:
        """Close a reader's consumer, and let it read on with a new one.

        Raises:
            TimeoutError: the new one could not join its group in time.
            KafkaError: Kafka does not answer, or refuses it.
        """
        if reader.consumer is not None and (own := member_id(reader.consumer)):
            self._member_ids[reader.group_id] = own
        await self._close(reader)
        try:
            async with asyncio.timeout(self._settings.start_timeout_seconds):
                await reader.start()
        except BaseException:
            await self._close(reader)
            raise
        # The stop may have begun meanwhile, and it did not see this consumer.
        if self._stopping:
            await self._close(reader)

    async def _close(self, reader: Any) -> None:
        """A consumer whose tasks have ended cannot close in the usual way."""
        consumer = reader.consumer
        if consumer is None:
            return
        try:
            async with asyncio.timeout(
                self._settings.shutdown_timeout_seconds + CLOSE_TIMEOUT_SECONDS
            ):
                await reader.stop()
        except (TimeoutError, KafkaError, OSError, RuntimeError):
            await abandon(consumer)
        reader.consumer = None

    async def is_reachable(self) -> bool:
        """Whether a new client would get an answer from Kafka now."""
        # A new client: those in use keep connections that may be half dead.
        client = AIOKafkaClient(**client_arguments(self._settings))
        try:
            async with asyncio.timeout(REACHABILITY_TIMEOUT_SECONDS):
                await client.bootstrap()
        except (TimeoutError, KafkaError, OSError):
            return False
        finally:
            await client.close()
        return True
