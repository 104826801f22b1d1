"""Topics are made by this step alone, with their partitions stated; brokers never make them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

from archon_contracts.client.lifetime import stop
from archon_contracts.namespace import NO_NAMESPACE, Namespace
from archon_contracts.topics import ALL_TOPICS, SERVICES, Topic, consumer_group
from shared.errors import BrokerUnavailable, PermanentError
from shared.kafka.patches import node_ids, topics_led
from shared.kafka.security import explain_refusal

# Kafka's error code; another set-up may have made the topic after the list was read.
TOPIC_ALREADY_EXISTS = 36
CLOSE_TIMEOUT_SECONDS = 5.0
KNOWN_SECONDS = 10.0
KNOWN_POLL_SECONDS = 0.05
MOST_COPIES = 3
"""With min.insync.replicas one less, one broker may be away without a record being refused."""


async def ensure_topics(
    bootstrap_servers: str,
    *,
    replication_factor: int | None = 1,
    topics: tuple[Topic, ...] = ALL_TOPICS,
    timeout_seconds: float = 30.0,
    security: Mapping[str, Any] | None = None,
    namespace: Namespace = NO_NAMESPACE,
) -> list[str]:
    """Create the topics that are missing; returns their names on Kafka. Idempotent.

    `replication_factor` None takes three copies, or as many as there are brokers where those are
    fewer. `security` holds what `shared.kafka.security.security_arguments` gives.

    Raises:
        BrokerUnavailable: the broker does not answer in time, or does not let us in.
        PermanentError: it refuses to create a topic.
    """
    arguments = {"bootstrap_servers": bootstrap_servers.split(","), **(security or {})}
    try:
        async with asyncio.timeout(timeout_seconds), admin_client(arguments) as admin:
            present = set(await admin.list_topics())
            wanted = {namespace.qualify(topic.name): topic for topic in topics}
            missing = [name for name in wanted if name not in present]
            if missing:
                if replication_factor is None:
                    replication_factor = min(MOST_COPIES, await _count_brokers(admin))
                new = [_new_topic(name, wanted[name], replication_factor) for name in missing]
                _raise_creation_errors(await admin.create_topics(new))
                known_to = partial(topics_led, admin)
                await wait_until_known(missing, node_ids(admin), known_to)
    except (KafkaError, OSError) as error:
        raise BrokerUnavailable(
            await explain_refusal(arguments, final=True)
            or f"Kafka at {bootstrap_servers} does not answer: {str(error) or 'no answer in time'}"
        ) from error
    return missing


async def wait_until_known(
    names: Sequence[str],
    nodes: Sequence[int],
    known_to: Callable[[int], Awaitable[set[str]]],
    *,
    most_seconds: float = KNOWN_SECONDS,
) -> None:
    """Wait until each node knows these topics, since whoever connects next may ask any of them.

    The controller answers once it has made a topic; brokers learn of it a moment later. A node that
    cannot be asked will know when it is back. After `most_seconds` it is left at that: a node that
    is paused does not answer for longer, and a principal that may create topics and not describe
    them never sees them.
    """
    wanted, deadline = set(names), asyncio.get_running_loop().time() + most_seconds
    for node in nodes:
        with contextlib.suppress(KafkaError, OSError):
            async with asyncio.timeout_at(deadline):
                missing = wanted - await known_to(node)
                while missing:
                    await asyncio.sleep(KNOWN_POLL_SECONDS)
                    missing = wanted - await known_to(node)


async def _count_brokers(admin: AIOKafkaAdminClient) -> int:
    description = await admin.describe_cluster()
    return max(1, len(description["brokers"]))


@contextlib.asynccontextmanager
async def admin_client(arguments: Mapping[str, Any]) -> AsyncIterator[AIOKafkaAdminClient]:
    """A started admin client; closing it takes seconds at most, whatever the broker does."""
    admin = AIOKafkaAdminClient(**arguments)
    try:
        await admin.start()
        yield admin
    finally:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
                await admin.close()


def _new_topic(name: str, topic: Topic, replication_factor: int) -> NewTopic:
    policy = (
        {"cleanup.policy": "compact"}
        if topic.compacted
        else {
            "cleanup.policy": "delete",
            "retention.ms": str(topic.retention_ms),
        }
    )
    # One copy fewer than there are: a broker may restart, and writes with acks=all
    # still go through.
    replicas = {"min.insync.replicas": str(max(1, replication_factor - 1))}
    return NewTopic(
        name,
        num_partitions=topic.partitions,
        replication_factor=replication_factor,
        topic_configs=policy | replicas,
    )


def _raise_creation_errors(response: object) -> None:
    for name, code, *rest in getattr(response, "topic_errors", []):
        if code not in (0, TOPIC_ALREADY_EXISTS):
            reason = rest[0] if rest and rest[0] else for_code(code).__name__
            raise PermanentError(f"Kafka refused to create topic {name}: {reason}")


@dataclass(frozen=True, slots=True)
class TopicStatus:
    """A topic as the broker has it; `lag` is records not yet read, per consumer group."""

    name: str
    key: str
    partitions: int
    records: int
    lag: Mapping[str, int]


async def read_topics(arguments: Mapping[str, Any], namespace: Namespace) -> list[TopicStatus]:
    """Every topic of the system that is there, and how far behind its readers are.

    Raises:
        KafkaError: the broker is away, or refuses one of the requests.
    """
    async with AsyncExitStack() as cleanup:
        admin = await cleanup.enter_async_context(admin_client(arguments))
        consumer = AIOKafkaConsumer(**arguments, enable_auto_commit=False)
        # Before the start: a consumer that fails half-way has to be closed as well.
        cleanup.push_async_callback(stop, consumer, timeout_seconds=CLOSE_TIMEOUT_SECONDS)
        await consumer.start()
        own_groups = tuple(namespace.qualify(consumer_group(service)) for service in SERVICES)
        committed = {
            group: await admin.list_consumer_group_offsets(group)
            for group in (found[0] for found in await admin.list_consumer_groups())
            if group.startswith(own_groups)
        }
        read = {
            group: {component: meta.offset for component, meta in offsets.items()}
            for group, offsets in committed.items()
        }
        present = await consumer.topics()
        names = {namespace.qualify(topic.name): topic for topic in ALL_TOPICS}
        return [
            await _status(consumer, name, topic, read)
            for name, topic in names.items()
            if name in present
        ]


async def _status(
    consumer: AIOKafkaConsumer,
    name: str,
    topic: Topic,
    read: Mapping[str, Mapping[TopicPartition, int]],
) -> TopicStatus:
    numbers = consumer.partitions_for_topic(name) or set()
    components = [TopicPartition(name, number) for number in sorted(numbers)]
    ends = await consumer.end_offsets(components)
    starts = await consumer.beginning_offsets(components)
    records = sum(ends[component] - starts[component] for component in components)
    return TopicStatus(name, topic.key, len(components), records, lags(components, ends, read))


def lags(
    components: Iterable[TopicPartition],
    ends: Mapping[TopicPartition, int],
    read: Mapping[str, Mapping[TopicPartition, int]],
) -> dict[str, int]:
    """Records that each group has not read, of the groups that read any of `components`."""
    found: dict[str, int] = {}
    for group, offsets in read.items():
        mine = [component for component in components if offsets.get(component, -1) >= 0]
        if mine:
            found[group] = sum(max(ends[component] - offsets[component], 0) for component in mine)
    return found
