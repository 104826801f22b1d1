"""`archon topics`: every stream, what its order is, and how far behind its readers are."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from archon_contracts.client.lifetime import stop
from archon_contracts.namespace import Namespace
from archon_contracts.topics import ALL_TOPICS, SERVICES, Topic, consumer_group
from deploy.cli.errors import CommandError
from deploy.cli.options import Json, examples
from deploy.cli.output import console, print_json, table
from deploy.cli.target import kafka_target
from shared.kafka.security import explain_refusal
from shared.kafka.topic_admin import admin_client

EXAMPLES = examples("archon topics", "archon topics --kafka broker:9092 --json")
TIMEOUT_SECONDS = 15.0
CLOSE_SECONDS = 5.0
Servers = Annotated[
    str | None,
    typer.Option(
        "--kafka", help="host:port; else ARCHON_KAFKA_BOOTSTRAP_SERVERS, else the local broker."
    ),
]


@dataclass(frozen=True, slots=True)
class TopicStatus:
    """A topic as the broker has it; `lag` is records not yet read, per consumer group."""

    name: str
    key: str
    partitions: int
    records: int
    lag: Mapping[str, int]


def topics(kafka: Servers = None, as_json: Json = False) -> None:
    """List topics with their keys, partitions, records and readers' lag."""
    found = asyncio.run(_found(*kafka_target(kafka)))
    if as_json:
        print_json([asdict(topic) for topic in found])
        return
    rows = (
        (topic.name, topic.key, topic.partitions, topic.records, _lag(topic)) for topic in found
    )
    console.print(table("topics", ("topic", "key", "partitions", "records", "lag"), rows))


async def _found(arguments: Mapping[str, Any], namespace: Namespace) -> list[TopicStatus]:
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await _read(arguments, namespace)
    except (KafkaError, OSError) as error:
        servers = ",".join(arguments["bootstrap_servers"])
        raise CommandError(
            await explain_refusal(dict(arguments), final=True)
            or f"The broker at {servers} did not answer ({type(error).__name__}): "
            "check that it runs, or name another one with --kafka."
        ) from error


async def _read(arguments: Mapping[str, Any], namespace: Namespace) -> list[TopicStatus]:
    async with AsyncExitStack() as cleanup:
        admin = await cleanup.enter_async_context(admin_client(arguments))
        consumer = AIOKafkaConsumer(**arguments, enable_auto_commit=False)
        # Before the start: a consumer that fails half-way has to be closed as well.
        cleanup.push_async_callback(stop, consumer, timeout_seconds=CLOSE_SECONDS)
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


def _lag(topic: TopicStatus) -> str:
    return ", ".join(f"{group} {count}" for group, count in sorted(topic.lag.items()))
