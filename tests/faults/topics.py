"""What stands on a topic."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, TopicPartition


async def count_records(bootstrap_servers: str, topic: str) -> int:
    """How many records a topic holds: end offsets less beginning offsets."""
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap_servers) as consumer:
        await consumer._client.force_metadata_update()
        ids = consumer.partitions_for_topic(topic) or set()
        partitions = [TopicPartition(topic, number) for number in ids]
        begin = await consumer.beginning_offsets(partitions)
        end = await consumer.end_offsets(partitions)
    return sum(end[p] - begin[p] for p in partitions)
