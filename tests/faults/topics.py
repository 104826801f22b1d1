"""What stands on a topic, and who reads it."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, TopicPartition
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
