"""What stands on a topic, who reads it, and how far."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from archon_contracts.topics import consumer_group


async def count_records(bootstrap_servers: str, topic: str) -> int:
    """How many records a topic holds: end offsets less beginning offsets."""
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap_servers) as consumer:
        await consumer._client.force_metadata_update()
        ids = consumer.partitions_for_topic(topic) or set()
        partitions = [TopicPartition(topic, number) for number in ids]
        begin = await consumer.beginning_offsets(partitions)
        end = await consumer.end_offsets(partitions)
    return sum(end[p] - begin[p] for p in partitions)


async def members_of(bootstrap_servers: str, service: str) -> set[str]:
    """The ids of the members of a service's consumer groups."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        prefix = consumer_group(service)
        names = [name for name, _ in await admin.list_consumer_groups() if name.startswith(prefix)]
        # One at a time: the embedded broker's answer about several cannot be read.
        answers = [a for name in names for a in await admin.describe_consumer_groups([name])]
    finally:
        await admin.close()
    return {member[0] for answer in answers for group in answer.groups for member in group[5]}


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
