"""What the watchdog looks at is there in aiokafka's consumer."""

from aiokafka import AIOKafkaConsumer

from shared.watchdog import _has_died
from tests.support.eventually import eventually


async def test_a_consumer_whose_fetch_task_has_ended_is_seen(kafka: str) -> None:
    async with AIOKafkaConsumer(bootstrap_servers=kafka, group_id="watched") as consumer:
        assert not _has_died(consumer)
        consumer._fetcher._fetch_task.cancel()
        await eventually(lambda: _has_died(consumer))
