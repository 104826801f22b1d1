"""A second member joins while the first one commits, and both go on."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from archon_contracts.client.patches import abandon, member_id
from shared.kafka.patches import RejoiningConsumer, keep_member_id
from tests.support.eventually import eventually

TOPIC = f"membership-{uuid4().hex}"


@contextlib.asynccontextmanager
async def producing(kafka: str) -> AsyncIterator[None]:
    """Records without end."""

    async def produce() -> None:
        async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
            while True:
                await producer.send_and_wait(TOPIC, b"x")

    async with running(produce()):
        yield


@contextlib.asynccontextmanager
async def running(coroutine) -> AsyncIterator[None]:
    task = asyncio.create_task(coroutine)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def member(kafka: str, group: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A member that commits after each record."""
    consumer = AIOKafkaConsumer(
        TOPIC, bootstrap_servers=kafka, group_id=group, enable_auto_commit=False
    )

    async def commit_each() -> None:
        while True:
            await consumer.getone()
            with contextlib.suppress(KafkaError):  # a commit that a rebalance refuses
                await consumer.commit()

    async with asyncio.timeout(20), consumer:
        keep_member_id(consumer)
        async with running(commit_each()):
            yield consumer


async def test_a_member_that_commits_is_not_taken_for_a_new_one(kafka: str) -> None:
    group = f"group-{uuid4().hex}"
    async with producing(kafka), member(kafka, group) as first:
        own_id = first._coordinator.member_id
        for _ in range(3):
            async with member(kafka, group):
                await eventually(lambda: first._coordinator.generation > 0)
        await eventually(lambda: len(first.assignment()) > 0)
        assert first._coordinator.member_id == own_id


async def test_a_consumer_takes_the_place_of_one_that_could_not_leave(kafka: str) -> None:
    group, session_ms = f"group-{uuid4().hex}", 10_000
    options = {"bootstrap_servers": kafka, "group_id": group, "session_timeout_ms": session_ms}
    async with producing(kafka):
        first = RejoiningConsumer(**options)
        first.subscribe([TOPIC])
        await first.start()
        own_id = member_id(first)
        await abandon(first)

        began = time.monotonic()
        async with asyncio.timeout(40):
            second = RejoiningConsumer(member_id=own_id, **options)
            second.subscribe([TOPIC])
            await second.start()
            await second.getone()
        took = time.monotonic() - began
        assert member_id(second) == own_id
        await second.stop()

    assert took < session_ms / 1000 / 2
