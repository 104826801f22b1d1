"""A group whose only member was killed can be joined again at once."""

import asyncio
import signal
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from archon_contracts.topics import consumer_group
from deploy.local.processes.group_members import evict_members
from tests.support.infrastructure.python_process import python_process

MEMBER = """
import asyncio, sys
from aiokafka import AIOKafkaConsumer

async def main():
    servers, topic, group = sys.argv[1:]
    async with AIOKafkaConsumer(topic, bootstrap_servers=servers, group_id=group):
        print("joined", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def killed_member(kafka: str, topic: str, group: str) -> None:
    """Let a process join the group, and kill it."""
    member = python_process("-c", MEMBER, kafka, topic, group, stdout=asyncio.subprocess.PIPE)
    async with member as process:
        assert process.stdout is not None
        await process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        await process.wait()


async def test_a_group_outlives_its_killed_member(kafka: str) -> None:
    service, topic = f"service-{uuid4().hex[:8]}", f"topic-{uuid4().hex}"
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        await producer.send_and_wait(topic, b"x")
    for group in (consumer_group(service), consumer_group(service, "feedback")):
        await killed_member(kafka, topic, group)

    assert await evict_members(kafka, service) == 2

    async with (
        asyncio.timeout(10),
        AIOKafkaConsumer(topic, bootstrap_servers=kafka, group_id=consumer_group(service)) as again,
    ):
        assert again.assignment()


async def test_a_broker_that_is_down_is_left_alone() -> None:
    assert await evict_members("127.0.0.1:9", "nobody") == 0
