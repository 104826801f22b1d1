"""The consumer of a service."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.metadata import MetadataRequest

from archon_contracts.namespace import Namespace
from shared.kafka.consumer import BATCH_WAIT_MS, ServiceConsumer
from shared.kafka.patches import observe_fetches


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


class FakeClient:
    """Fails while `error` is set."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    async def send(self, _node_id: int, _request: object, **_options: object) -> str:
        if self.error is not None:
            raise self.error
        return "answer"


def _consumer(client: FakeClient, **coordinator: object) -> ServiceConsumer:
    """Not started, with these parts in place of its own."""
    consumer = ServiceConsumer(group_id="group", namespace=Namespace())
    consumer._client, consumer._coordinator = client, SimpleNamespace(**coordinator)
    observe_fetches(consumer, consumer._record_fetch)
    consumer._closed = True  # nothing of it needs an end
    return consumer


async def test_a_member_without_a_coordinator_says_so_after_a_while() -> None:
    consumer = _consumer(FakeClient(), coordinator_id=None)
    assert consumer.outage(60.0) == ""
    assert "no coordinator of its group" in consumer.outage(0.0)
    consumer._coordinator.coordinator_id = 1
    assert consumer.outage(0.0) == ""


async def test_a_consumer_without_a_group_lacks_no_coordinator() -> None:
    assert _consumer(FakeClient()).outage(0.0) == ""


async def test_a_node_that_answers_no_fetch_is_named_until_it_does() -> None:
    client = FakeClient()
    consumer = _consumer(client, coordinator_id=1)
    fetch = FetchRequest(500, 1, 1, 0, [])

    client.error = KafkaConnectionError("refused")
    for request in (MetadataRequest(None), fetch):
        with pytest.raises(KafkaConnectionError):
            await consumer._client.send(2, request)
    assert consumer.outage(60.0) == ""
    assert "node 2 has records to read and does not answer" in consumer.outage(0.0)

    client.error = None
    await consumer._client.send(2, fetch)
    assert consumer.outage(0.0) == ""
