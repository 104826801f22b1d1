"""What the suite reads off the broker: a rebalance shows, also where members keep their ids."""

from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from archon_contracts.topics import consumer_group
from shared.kafka.patches import keep_member_id
from tests.faults.brokers.topics import generations_of
from tests.support.eventually import eventually


async def test_a_rejoin_under_the_old_id_is_a_new_generation(kafka: str) -> None:
    service, topic = f"rejoining-{uuid4().hex}", f"topic-{uuid4().hex}"
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        await producer.send_and_wait(topic, b"x")
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka, group_id=consumer_group(service))
    async with consumer:
        keep_member_id(consumer)
        await eventually(lambda: len(consumer.assignment()) > 0)
        before = await generations_of(kafka, service)
        generation = consumer._coordinator.generation

        consumer._coordinator.reset_generation()
        await eventually(lambda: consumer._coordinator.generation > generation)
        after = await generations_of(kafka, service)

    assert list(before.values()) == [generation]
    assert after.keys() == before.keys()
    assert after != before
