"""A header name that is no UTF-8, from a real producer through a real broker, loses nothing."""

from uuid import uuid4

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException

from archon_contracts.commands import RollBackModel
from archon_contracts.namespace import NO_NAMESPACE
from archon_contracts.topics import REGISTRY_COMMANDS, Topic
from shared.kafka.broker import new_router, raw_subscription, subscription
from shared.kafka.consumer import ServiceConsumer
from shared.kafka.tolerant_records import TolerantRecords
from shared.kafka.topic_admin import ensure_topics
from shared.messaging.messages import Message, RawRecord
from shared.postgres.migrations import migrate
from shared.process.service_context import ServiceContext
from tests.faults.brokers.raw_producer import RawProducer, raw_producer
from tests.support.eventually import eventually
from tests.support.infrastructure.service_contexts import probe_settings, serving_application

PARTITIONS = 3
EACH = 40
TYPE = (b"ce_type", RollBackModel.message_type().encode())
ODD = (b"\xff\xfe\xfd", b"v")


def _send(producer: RawProducer, agents: list[str]) -> None:
    """Each agent's command, one in ten with an odd header."""
    for number, agent in enumerate(agents):
        body = RollBackModel(agent_id=agent, reason="worse").to_bytes()
        headers = [TYPE, ODD] if number % 10 == 0 else [TYPE]
        partition = number % PARTITIONS
        producer.send(REGISTRY_COMMANDS.name, body, headers=headers, partition=partition)


async def _service_context(database_url: str, kafka: str) -> ServiceContext:
    await ensure_topics(kafka)
    await migrate(database_url, "probe")
    return ServiceContext.build(probe_settings(database_url, kafka))


async def test_a_batch_consumer_sees_every_record_once(database_url: str, kafka: str) -> None:
    service_context, marker = await _service_context(database_url, kafka), uuid4().hex
    router, group, seen = new_router(), f"probe-{marker[:8]}", list[bytes | None]()
    agents = [f"{marker}-{number}" for number in range(PARTITIONS * EACH)]
    batches = raw_subscription(router, group, REGISTRY_COMMANDS, group_suffix="b", batch=True)

    @batches.on_batch
    async def keep(records: list[RawRecord]) -> None:
        seen.extend(record.value for record in records if marker.encode() in (record.value or b""))

    service_context.broker.include_router(router)
    with raw_producer(kafka) as producer:
        _send(producer, agents)
        async with serving_application(service_context):
            await eventually(lambda: len(seen) >= len(agents), timeout=20)

    expected = [RollBackModel(agent_id=agent, reason="worse").to_bytes() for agent in agents]
    assert sorted(filter(None, seen)) == sorted(expected)


async def test_a_single_record_consumer_handles_every_record(database_url: str, kafka: str) -> None:
    service_context, marker = await _service_context(database_url, kafka), uuid4().hex
    router, seen = new_router(), set[str]()
    agents = [f"{marker}-{number}" for number in range(PARTITIONS * EACH)]
    commands = subscription(router, f"probe-{marker[:8]}", REGISTRY_COMMANDS)

    @commands.on(RollBackModel)
    async def keep(message: Message[RollBackModel]) -> None:
        seen.add(message.body.agent_id)

    service_context.broker.include_router(router)
    with raw_producer(kafka) as producer:
        _send(producer, agents)
        async with serving_application(service_context):
            await eventually(lambda: set(agents) <= seen, timeout=20)


async def test_a_drain_that_fails_gives_back_what_it_had_drained(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    partitions = [TopicPartition(f"drain-{uuid4().hex}", 0) for _ in range(2)]
    drained = list[bytes | None]()
    await _make_topics(kafka, *(partition.topic for partition in partitions))
    with raw_producer(kafka) as producer:
        for number, partition in enumerate(partitions):
            producer.send(partition.topic, b"%d" % number)
    async with _consumer(kafka) as consumer:
        consumer.assign(partitions)
        await eventually(lambda: len(consumer._fetcher._records) == 2)
        fetched = list(consumer._fetcher._records.values())

        def corrupt(*_: object) -> None:
            raise CorruptRecordException("Invalid CRC")

        monkeypatch.setattr(fetched[1], "getall", corrupt)
        with pytest.raises(CorruptRecordException):
            await consumer.getmany()
        monkeypatch.undo()

        async def both() -> bool:
            found = await consumer.getmany(timeout_ms=200)
            drained.extend(record.value for records in found.values() for record in records)
            return len(drained) >= 2

        await eventually(both)
    assert sorted(filter(None, drained)) == [b"0", b"1"]


async def test_the_fetcher_takes_its_batches_from_the_name_that_is_replaced(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    class ObservedRecords(TolerantRecords):
        def __init__(self, raw: bytes) -> None:
            made.append(raw)
            super().__init__(raw)

    monkeypatch.setattr(fetcher, "MemoryRecords", ObservedRecords)
    topic = f"shape-{uuid4().hex}"
    await _make_topics(kafka, topic)
    with raw_producer(kafka) as producer:
        producer.send(topic, b"1", headers=[ODD], partition=0)
    async with _consumer(kafka) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        record = await consumer.getone()
    assert (record.value, record.headers) == (b"1", (("\\xff\\xfe\\xfd", b"v"),))
    assert made


def _consumer(kafka: str) -> ServiceConsumer:
    return ServiceConsumer(
        bootstrap_servers=kafka,
        auto_offset_reset="earliest",
        group_id=None,
        namespace=NO_NAMESPACE,
    )


async def _make_topics(kafka: str, *names: str) -> None:
    await ensure_topics(kafka, topics=tuple(Topic(name, "key", 1) for name in names))
