"""On Apache Kafka: what is taken away and given back heals in the process and is reported."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from aiokafka import TopicPartition
from confluent_kafka import Producer
from confluent_kafka.admin import ResourceType

from archon_contracts.client.healing import HealingConsumer, OffsetGap
from archon_contracts.commands import RollBackModel
from archon_contracts.topics import REGISTRY_COMMANDS, consumer_group
from shared.kafka.broker import new_router, subscription
from shared.kafka.topic_admin import ensure_topics
from shared.messaging.messages import Message
from shared.postgres.migrations import migrate
from shared.process.service_context import ServiceContext
from tests.support.eventually import eventually
from tests.support.infrastructure.real_kafka import PASSWORD, USER, RealKafka
from tests.support.infrastructure.service_contexts import probe_settings, serving_application

TOPIC = REGISTRY_COMMANDS.name
OUT = "probe-out"
REPORT_SECONDS = 30
HEALED_SECONDS = 20
REFRESHED_SECONDS = 45


class Service:
    """A probe service that reads commands and relays its outbox, under the user's rights."""

    def __init__(self, node: RealKafka, service_context: ServiceContext, name: str) -> None:
        self.node = node
        self.name = name
        self.handled: list[str] = []
        self.service_context = service_context
        router = new_router()
        commands = subscription(router, name, REGISTRY_COMMANDS)

        @commands.on(RollBackModel)
        async def keep(message: Message[RollBackModel]) -> None:
            self.handled.append(message.body.agent_id)

        service_context.broker.include_router(router)

    async def send(self, agent: str, partition: int = 0) -> None:
        """A command, from somebody with every right."""
        producer = Producer({"bootstrap.servers": self.node.bootstrap_servers})
        body = RollBackModel(agent_id=agent, reason="worse").to_bytes()
        headers = [("ce_type", RollBackModel.message_type().encode())]
        producer.produce(TOPIC, body, key=b"k", partition=partition, headers=headers)
        assert await asyncio.to_thread(producer.flush, 10) == 0

    async def append(self, text: str) -> None:
        """A message for the relay."""
        async with self.service_context.database.transaction() as tx:
            await self.service_context.outbox.append_raw(
                tx, event_id=uuid4(), topic=OUT, key="k", headers=(), payload=text.encode()
            )

    async def unpublished(self) -> int:
        """Messages that the relay has not sent."""
        async with self.service_context.database.connection() as connection:
            return await connection.fetchval(
                "SELECT count(*) FROM outbox WHERE published_at IS NULL"
            )

    async def has_sent_all(self) -> bool:
        return await self.unpublished() == 0

    async def problem(self) -> str:
        """What readiness says of Kafka."""
        return (await self.service_context.health.problems()).get("kafka", "")


@pytest.fixture
async def topics(real_kafka: RealKafka) -> None:
    await ensure_topics(real_kafka.bootstrap_servers, topics=(REGISTRY_COMMANDS,))
    with contextlib.suppress(Exception):
        real_kafka.create_topic(OUT)


@contextlib.asynccontextmanager
async def _serving(node: RealKafka, database_url: str, **fields: object) -> AsyncIterator[Service]:
    name = f"probe-{uuid4().hex[:8]}"
    for kind, resource in _rights(name):
        node.grant(kind, resource)
    await migrate(database_url, "probe")
    settings = probe_settings(
        database_url,
        node.sasl_servers,
        kafka_security_protocol="SASL_PLAINTEXT",
        kafka_sasl_username=USER,
        kafka_sasl_password=PASSWORD,
        kafka_empty_fetch_wait_max_ms=0,
        **fields,
    )
    service = Service(node, ServiceContext.build(settings), name)
    async with serving_application(service.service_context):
        await service.send("first")
        await eventually(lambda: "first" in service.handled, timeout=20)
        yield service


def _rights(name: str) -> list[tuple[ResourceType, str]]:
    topics = [(ResourceType.TOPIC, topic) for topic in (TOPIC, OUT)]
    return [*topics, (ResourceType.GROUP, consumer_group(name))]


@pytest.mark.usefixtures("topics")
async def test_rights_taken_away_are_named_and_their_return_heals_the_process(
    real_kafka: RealKafka, database_url: str
) -> None:
    async with _serving(real_kafka, database_url) as service:
        for kind, resource in _rights(service.name):
            real_kafka.revoke(kind, resource)
        await service.append("waits")
        await service.send("meanwhile")

        async def is_reported() -> bool:
            problem = await service.problem()
            return f"User:{USER} Write on topic {OUT}" in problem and "consumer" in problem

        await eventually(is_reported, timeout=REPORT_SECONDS)
        assert await service.unpublished() == 1

        for kind, resource in _rights(service.name):
            real_kafka.grant(kind, resource)
        await eventually(lambda: "meanwhile" in service.handled, timeout=HEALED_SECONDS)
        await eventually(service.has_sent_all, timeout=HEALED_SECONDS)
        # An offset that could not be committed is read again; the inbox drops the repetition.
        assert list(dict.fromkeys(service.handled)) == ["first", "meanwhile"]

        async def is_clear() -> bool:
            return not await service.problem()

        await eventually(is_clear, timeout=REPORT_SECONDS)


@pytest.mark.usefixtures("topics")
async def test_new_partitions_and_a_topic_made_again_are_read_soon(
    real_kafka: RealKafka, database_url: str
) -> None:
    async with _serving(real_kafka, database_url) as service:
        since, more = time.monotonic(), REGISTRY_COMMANDS.partitions + 1
        real_kafka.add_partitions(TOPIC, more)
        await service.send("new-partition", partition=more - 1)
        await eventually(lambda: "new-partition" in service.handled, timeout=60)
        assert time.monotonic() - since < REFRESHED_SECONDS

        real_kafka.delete_topic(TOPIC)
        await asyncio.sleep(2)
        since = time.monotonic()
        await ensure_topics(real_kafka.bootstrap_servers, topics=(REGISTRY_COMMANDS,))
        await service.send("new-topic")
        await eventually(lambda: "new-topic" in service.handled, timeout=60)
        assert time.monotonic() - since < REFRESHED_SECONDS


async def test_records_deleted_unread_are_reported_with_their_offsets(
    real_kafka: RealKafka,
) -> None:
    topic = f"short-{uuid4().hex}"
    real_kafka.create_topic(topic)
    gaps: list[OffsetGap] = []
    producer = Producer({"bootstrap.servers": real_kafka.bootstrap_servers})
    for number in range(10):
        producer.produce(topic, str(number))
    assert await asyncio.to_thread(producer.flush, 10) == 0
    reader = HealingConsumer(
        {
            "bootstrap_servers": real_kafka.bootstrap_servers,
            "group_id": f"gaps-{uuid4().hex}",
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            # One record a fetch: what is buffered in the client is not lost by a deletion.
            "max_partition_fetch_bytes": 1,
        },
        [topic],
        timeout_seconds=15,
        idle_wait_seconds=0,
        on_gap=gaps.append,
    )
    await reader.start()
    try:
        assert reader.consumer is not None
        partition = TopicPartition(topic, 0)
        async with asyncio.timeout(20):
            while await reader.next_record(0.5) is None:
                pass
        reader.consumer.seek(partition, 2)
        real_kafka.delete_records(topic, before=7)
        async with asyncio.timeout(30):
            while (record := await reader.next_record(0.5)) is None or record.offset < 7:
                pass
    finally:
        await reader.stop()
    assert record.offset == 7
    assert [(gap.partition, gap.expected, gap.resumed_at) for gap in gaps] == [(0, 2, 7)]
    assert f"offsets 2 to 6 of {topic}[0] were deleted" in str(gaps[0])
