"""`archon topics`: every stream, what its order is, and how far behind its readers are."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer
from aiokafka.errors import KafkaError

from archon_contracts.namespace import Namespace
from deploy.cli.errors import CommandError
from deploy.cli.options import Json, examples
from deploy.cli.output import console, print_json, table
from deploy.cli.target import kafka_target
from shared.kafka.security import explain_refusal
from shared.kafka.topic_admin import TopicStatus, read_topics

EXAMPLES = examples("archon topics", "archon topics --kafka broker:9092 --json")
TIMEOUT_SECONDS = 15.0
Servers = Annotated[
    str | None,
    typer.Option(
        "--kafka", help="host:port; else ARCHON_KAFKA_BOOTSTRAP_SERVERS, else the local broker."
    ),
]


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
            return await read_topics(arguments, namespace)
    except (KafkaError, OSError) as error:
        servers = ",".join(arguments["bootstrap_servers"])
        raise CommandError(
            await explain_refusal(dict(arguments), final=True)
            or f"The broker at {servers} did not answer ({type(error).__name__}): "
            "check that it runs, or name another one with --kafka."
        ) from error


def _lag(topic: TopicStatus) -> str:
    return ", ".join(f"{group} {count}" for group, count in sorted(topic.lag.items()))
