"""A record that Apache Kafka refuses is refused alone, and disturbs nothing behind it."""

import asyncio
from uuid import uuid4

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import InvalidTimestampError, MessageSizeTooLargeError

from archon_contracts.client.patches import GapFreeProducer
from tests.support.infrastructure.real_kafka import RealKafka

LIMIT = 20_000


def _producer(node: RealKafka, **options: object) -> GapFreeProducer:
    return GapFreeProducer(
        bootstrap_servers=node.bootstrap_servers,
        enable_idempotence=True,
        acks="all",
        linger_ms=20,
        max_batch_size=262_144,
        **options,
    )


async def _values(node: RealKafka, topic: str, count: int) -> list[bytes]:
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=node.bootstrap_servers, auto_offset_reset="earliest"
    ) as consumer:
        async with asyncio.timeout(15):
            return [(await consumer.getone()).value for _ in range(count)]


async def test_a_record_above_the_topics_limit_is_refused_alone(real_kafka: RealKafka) -> None:
    topic = f"small-{uuid4().hex}"
    real_kafka.create_topic(topic, max_message_bytes=str(LIMIT))
    values = [bytes([65 + n]) * (50_000 if n == 3 else 9_000) for n in range(8)]
    async with _producer(real_kafka) as producer:
        pending = [await producer.send(topic, value, key=b"k") for value in values]
        async with asyncio.timeout(15):
            answers = await asyncio.gather(*pending, return_exceptions=True)
            later = await producer.send_and_wait(topic, b"later", key=b"k")
        assert producer.fault is None
    refused = [n for n, answer in enumerate(answers) if isinstance(answer, BaseException)]
    assert refused == [3]
    assert isinstance(answers[3], MessageSizeTooLargeError)
    kept = [value for n, value in enumerate(values) if n != 3]
    assert await _values(real_kafka, topic, later.offset + 1) == [*kept, b"later"]


async def test_a_time_out_of_the_brokers_range_is_refused_alone(real_kafka: RealKafka) -> None:
    topic = f"times-{uuid4().hex}"
    real_kafka.create_topic(topic)
    far = 4_102_444_800_000  # the year 2100
    async with _producer(real_kafka) as producer:
        pending = [
            await producer.send(topic, str(n).encode(), timestamp_ms=far if n == 2 else None)
            for n in range(5)
        ]
        async with asyncio.timeout(15):
            answers = await asyncio.gather(*pending, return_exceptions=True)
            await producer.send_and_wait(topic, b"later")
    assert [n for n, a in enumerate(answers) if isinstance(a, InvalidTimestampError)] == [2]
    assert await _values(real_kafka, topic, 5) == [b"0", b"1", b"3", b"4", b"later"]
