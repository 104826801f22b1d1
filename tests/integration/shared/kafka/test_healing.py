"""What the supervisor of consumers looks at is there in aiokafka's consumer."""

from uuid import uuid4

from aiokafka import AIOKafkaConsumer

from archon_contracts.client.patches import (
    abandon,
    group_coordinator,
    has_ended,
    lacks_coordinator,
    member_id,
    take_place,
)
from archon_contracts.topics import REGISTRY_COMMANDS
from shared.kafka.patches import RejoiningConsumer, is_group_member
from shared.kafka.topic_admin import ensure_topics
from shared.process.service_context import ServiceContext
from tests.support.eventually import eventually
from tests.support.infrastructure.service_contexts import probe_settings


async def test_a_consumer_whose_fetch_task_has_ended_is_seen(kafka: str) -> None:
    async with AIOKafkaConsumer(bootstrap_servers=kafka, group_id="watched") as consumer:
        assert not has_ended(consumer)
        consumer._fetcher._fetch_task.cancel()
        await eventually(lambda: has_ended(consumer))


async def test_a_consumer_is_seen_to_have_joined_its_group(kafka: str) -> None:
    await ensure_topics(kafka)
    group = f"joins-{uuid4().hex[:8]}"
    async with AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group) as consumer:
        assert not is_group_member(consumer)
        consumer.subscribe([REGISTRY_COMMANDS.name])
        await eventually(lambda: is_group_member(consumer), timeout=20)


async def test_a_consumer_without_a_group_is_no_member_and_lacks_no_coordinator(kafka: str) -> None:
    await ensure_topics(kafka)
    consumer = RejoiningConsumer(bootstrap_servers=kafka, group_id=None)
    assert group_coordinator(consumer) is None  # not started yet
    await consumer.start()
    try:
        consumer.subscribe([REGISTRY_COMMANDS.name])
        take_place(consumer, "nobody")
        assert group_coordinator(consumer) is None
        assert (member_id(consumer), lacks_coordinator(consumer)) == ("", False)
        assert not is_group_member(consumer)
        assert not has_ended(consumer)
    finally:
        await abandon(consumer)
        await consumer.stop()


async def test_kafka_is_asked_over_a_connection_of_its_own(database_url: str, kafka: str) -> None:
    there = ServiceContext.build(probe_settings(database_url, kafka))
    away = ServiceContext.build(probe_settings(database_url, "127.0.0.1:1"))
    assert await there.broker.is_reachable()
    assert not await away.broker.is_reachable()
