"""What a subscription commits of what its caller has handled."""

from typing import Any

from aiokafka import ConsumerRecord, TopicPartition

from archon_contracts.client.subscription import _Progress

PARTITION = TopicPartition("topic", 0)


class OwningConsumer:
    """Has one partition, and keeps what is committed."""

    def __init__(self) -> None:
        self.committed: list[dict[TopicPartition, int]] = []

    def assignment(self) -> set[TopicPartition]:
        return {PARTITION}

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.committed.append(offsets)


class ReplacedReader:
    """A reader whose consumer is given up and made again."""

    def __init__(self) -> None:
        self.consumer: OwningConsumer | None = OwningConsumer()


def record_at(offset: int) -> ConsumerRecord[Any, Any]:
    return ConsumerRecord(*PARTITION, offset, 0, 0, None, b"", None, 0, 0, ())


async def test_a_consumer_made_again_does_not_put_its_group_back() -> None:
    reader: Any = ReplacedReader()
    progress = _Progress(reader, kept=True)
    await progress.handled(record_at(7))
    reader.consumer = None
    await progress.commit()

    made_again = reader.consumer = OwningConsumer()
    await progress.commit()  # another member may have committed more by now
    await progress.handled(record_at(20))
    await progress.commit()

    assert made_again.committed == [{PARTITION: 21}]
