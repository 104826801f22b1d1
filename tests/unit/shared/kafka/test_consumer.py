"""The consumer of a service."""

from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from archon_contracts.namespace import Namespace
from shared.kafka.consumer import BATCH_WAIT_MS, ServiceConsumer


async def test_an_idle_consumer_waits_long_for_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """What FastStream asks for is short, since it sleeps as long after each empty batch."""
    waits = list[int]()

    async def getmany(_consumer: Any, *_: Any, timeout_ms: int, **_options: Any) -> dict[Any, Any]:
        waits.append(timeout_ms)
        return {}

    monkeypatch.setattr(AIOKafkaConsumer, "getmany", getmany)

    consumer = ServiceConsumer(group_id="group", namespace=Namespace())
    try:
        await consumer.getmany(timeout_ms=10)
    finally:
        await consumer.stop()

    assert waits == [BATCH_WAIT_MS]
