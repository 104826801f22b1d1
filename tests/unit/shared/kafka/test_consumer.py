"""The consumer of a service."""

import asyncio
import gc
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.cluster import ClusterMetadata
from aiokafka.consumer.fetcher import Fetcher, FetchError
from aiokafka.errors import KafkaConnectionError, TopicAuthorizationFailedError
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.metadata import MetadataRequest

from archon_contracts.namespace import Namespace
from shared.kafka import consumer as module
from shared.kafka.consumer import BATCH_WAIT_MS, ServiceConsumer
from shared.kafka.patches import retrieve_late_commits
from tests.support.eventually import eventually

PARTITION = TopicPartition("topic", 0)


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
        self.cluster = ClusterMetadata()

    async def send(self, _node_id: int, _request: object, **_options: object) -> str:
        if self.error is not None:
            raise self.error
        return "answer"


def _consumer(client: FakeClient, **coordinator: object) -> ServiceConsumer:
    """Not started, with these parts in place of its own."""
    consumer = ServiceConsumer(group_id="group", namespace=Namespace())
    consumer._client = client
    consumer._coordinator = SimpleNamespace(
        reset_generation=None,
        _send_req=None,
        _do_commit_offsets=None,
        member_id="",
        **coordinator,
    )
    consumer._outage.observe()
    consumer._closed = True  # nothing of it needs an end
    return consumer


async def test_a_member_without_a_coordinator_says_so_after_a_while() -> None:
    consumer = _consumer(FakeClient(), coordinator_id=None)
    assert consumer.outage(60.0) == ""
    assert "no coordinator of its group" in consumer.outage(0.0)
    consumer._coordinator.coordinator_id = 1
    assert consumer.outage(0.0) == ""


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


class CommittedOffsets:
    """What a consumer of one partition committed; a commit takes a while, or fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made, self.failures = list[int](), list[Exception]()
        self.assignment: object = object()
        self.position = 0
        monkeypatch.setattr(AIOKafkaConsumer, "commit", self._commit)
        monkeypatch.setattr(AIOKafkaConsumer, "getone", self._getone)
        monkeypatch.setattr(module, "active_assignment", lambda _consumer: self.assignment)
        monkeypatch.setattr(module, "valid_positions", lambda _: {PARTITION: self.position})
        monkeypatch.setattr(module, "COMMIT_INTERVAL_SECONDS", 0.01)
        monkeypatch.setattr(module, "COMMIT_RETRY_SECONDS", 0.01)

    async def _getone(self, *_: Any) -> None:
        self.position += 1

    async def _commit(self, offsets: dict[TopicPartition, int] | None) -> None:
        await asyncio.sleep(0.002)
        if self.failures:
            raise self.failures.pop()
        self.made.append(self.position if offsets is None else offsets[PARTITION])


@pytest.fixture
def committed(monkeypatch: pytest.MonkeyPatch) -> CommittedOffsets:
    return CommittedOffsets(monkeypatch)


async def _handle(consumer: ServiceConsumer, records: int) -> None:
    for _ in range(records):
        await consumer.getone()
        await asyncio.sleep(0)  # its handler
        await consumer.commit()


async def test_commits_of_single_records_are_gathered_and_the_last_is_made_at_the_stop(
    committed: CommittedOffsets,
) -> None:
    consumer = ServiceConsumer(group_id="group", namespace=Namespace())
    await _handle(consumer, 200)
    await consumer.getone()  # handed out, not handled
    await consumer.stop()
    assert committed.made[-1] == 200
    assert len(committed.made) < 50
    assert committed.made == sorted(committed.made)


async def test_a_gathered_commit_that_fails_is_made_again(committed: CommittedOffsets) -> None:
    committed.failures = [KafkaConnectionError("away"), RuntimeError("the handler is closed")]
    consumer = ServiceConsumer(group_id="group", namespace=Namespace())
    await _handle(consumer, 3)
    await eventually(lambda: committed.made == [3], timeout=5)
    await consumer.stop()


async def test_what_was_handled_before_a_rebalance_is_not_committed_after_it(
    committed: CommittedOffsets,
) -> None:
    """Another member may have gone on from there, and be put back."""
    consumer = ServiceConsumer(group_id="group", namespace=Namespace())
    await _handle(consumer, 1)
    committed.assignment = object()
    await consumer.stop()
    assert committed.made == []


async def test_the_error_of_a_commit_that_was_given_up_is_no_error_of_the_process() -> None:
    unhandled = list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _loop, seen: unhandled.append(seen))

    async def fail(_assignment: object, _offsets: object) -> None:
        await asyncio.sleep(0.01)
        raise KafkaConnectionError("the coordinator is away")

    coordinator = SimpleNamespace(_do_commit_offsets=fail)
    retrieve_late_commits(SimpleNamespace(_coordinator=coordinator))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.shield(coordinator._do_commit_offsets(None, {}))  # as aiokafka does
    await asyncio.sleep(0.02)
    gc.collect()
    assert unhandled == []


@pytest.mark.parametrize("read", [ServiceConsumer.getone, ServiceConsumer.getmany])
async def test_what_every_partition_was_refused_with_is_raised_once_and_asked_again(
    monkeypatch: pytest.MonkeyPatch, read: Any
) -> None:
    """FastStream sleeps 5 s after each error: of twelve partitions, for a minute."""
    fetcher = Fetcher.__new__(Fetcher)
    fetcher._closed, fetcher._fetch_waiters, fetcher._wait_consume_future = False, set(), None
    fetcher._loop = asyncio.get_running_loop()
    fetcher._subscriptions = SimpleNamespace(reassignment_in_progress=False)
    refused = TopicAuthorizationFailedError("topic")
    fetcher._records = {
        TopicPartition("topic", number): FetchError(error=refused, backoff=0.1)
        for number in range(12)
    }

    async def fetched(_consumer: Any, *_: Any, timeout_ms: int = 0, **_options: Any) -> Any:
        if read is ServiceConsumer.getone:
            return await fetcher.next_record(())
        return await fetcher.fetched_records((), timeout_ms / 1000)

    monkeypatch.setattr(AIOKafkaConsumer, read.__name__, fetched)
    consumer = ServiceConsumer(group_id="group", namespace=Namespace())
    consumer._fetcher = fetcher

    with pytest.raises(TopicAuthorizationFailedError):
        await read(consumer)
    assert len(fetcher._records) == 11

    with pytest.raises(TimeoutError):  # it waits for what the next fetch finds
        async with asyncio.timeout(0.05):
            await read(consumer)
    assert not fetcher._records
    assert consumer.lasting_error(0.0) is refused  # until something was read
    consumer._fetcher = None
    await consumer.stop()
