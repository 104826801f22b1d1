"""What stands on a topic, who reads it, and how far."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import IllegalGenerationError, NoError, RebalanceInProgressError, for_code
from aiokafka.protocol.group import HeartbeatRequest

from archon_contracts.envelope import HeaderView
from archon_contracts.topics import consumer_group

MOST_GENERATIONS = 1_000


async def count_records(bootstrap_servers: str, topic: str) -> int:
    """How many records a topic holds: end offsets less beginning offsets."""
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap_servers) as consumer:
        await consumer._client.force_metadata_update()
        ids = consumer.partitions_for_topic(topic) or set()
        partitions = [TopicPartition(topic, number) for number in ids]
        begin = await consumer.beginning_offsets(partitions)
        end = await consumer.end_offsets(partitions)
    return sum(end[p] - begin[p] for p in partitions)


async def event_ids_on(bootstrap_servers: str, topics: Sequence[str]) -> list[str]:
    """The id of every event that these topics hold now, repeated where it was sent again."""
    found: list[str] = []
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap_servers) as consumer:
        await consumer._client.force_metadata_update()
        parts = [
            TopicPartition(topic, number)
            for topic in topics
            for number in consumer.partitions_for_topic(topic) or ()
        ]
        consumer.assign(parts)
        end = await consumer.end_offsets(parts)
        await consumer.seek_to_beginning(*parts)
        for part in parts:
            while await consumer.position(part) < end[part]:
                for records in (await consumer.getmany(part, timeout_ms=1_000)).values():
                    found += [HeaderView.of(each.headers).text("ce_id") for each in records]
    return found


async def generations_of(bootstrap_servers: str, service: str) -> dict[str, int]:
    """The generation of each member of a service's consumer groups, by group and member id.

    Every rebalance begins a new one, even one in which all members keep their ids. A description of
    the group does not show it, but a heartbeat is refused that names another.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    client = AIOKafkaClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    await client.bootstrap()
    try:
        prefix = consumer_group(service)
        found = {}
        for group, _ in await admin.list_consumer_groups():
            if group.startswith(prefix):
                node = await admin.find_coordinator(group)
                # One at a time: the embedded broker's answer about several cannot be read.
                (answer,) = await admin.describe_consumer_groups([group])
                for member, *_ in answer.groups[0][5]:
                    found[f"{group}/{member}"] = await _generation(client, node, group, member)
        return found
    finally:
        await client.close()
        await admin.close()


async def _generation(client: AIOKafkaClient, node: int, group: str, member: str) -> int:
    for number in range(1, MOST_GENERATIONS):
        answer = await client.send(node, HeartbeatRequest(group, number, member))
        # Under way to the next one, the group still knows the present one.
        if answer.error_code in (NoError.errno, RebalanceInProgressError.errno):
            return number
        if answer.error_code != IllegalGenerationError.errno:
            raise for_code(answer.error_code)(f"generation of {member} in {group}")
    raise RuntimeError(f"{group} has had {MOST_GENERATIONS} generations")


async def repeat_all(bootstrap_servers: str, topic: str) -> int:
    """Publish every record of a topic again, byte for byte; returns how many there were."""
    count = 0
    async with (
        AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, enable_auto_commit=False) as reader,
        AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all") as writer,
    ):
        await reader._client.force_metadata_update()
        partitions = [TopicPartition(topic, n) for n in reader.partitions_for_topic(topic) or ()]
        reader.assign(partitions)
        await reader.seek_to_beginning(*partitions)
        end = await reader.end_offsets(partitions)
        while any([await reader.position(p) < end[p] for p in partitions]):
            for place, records in (await reader.getmany(timeout_ms=500)).items():
                old = [each for each in records if each.offset < end[place]]
                for each in old:
                    await writer.send(
                        topic,
                        each.value,
                        key=each.key,
                        partition=each.partition,
                        headers=list(each.headers),
                    )
                count += len(old)
        await writer.flush()
    return count


async def unread(bootstrap_servers: str, topic: str, group: str) -> int:
    """How many records a group has not committed yet."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        committed = await admin.list_consumer_group_offsets(group)
    finally:
        await admin.close()
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap_servers) as consumer:
        await consumer._client.force_metadata_update()
        ids = consumer.partitions_for_topic(topic) or set()
        end = await consumer.end_offsets([TopicPartition(topic, number) for number in ids])
    read = {place: meta.offset for place, meta in committed.items()}
    return sum(last - max(0, read.get(place, 0)) for place, last in end.items())
