"""What the clients rely on inside aiokafka is there; a new version has to be looked at."""

import asyncio
import gc
import inspect
from importlib.metadata import version

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, UnknownError
from aiokafka.producer.message_accumulator import MessageAccumulator, MessageBatch
from aiokafka.producer.sender import Sender, SendProduceReqHandler
from aiokafka.producer.transaction_manager import TransactionManager

from archon_contracts.client.patches import (
    AIOKAFKA_VERSION,
    INVALID_TIMESTAMP,
    MESSAGE_TOO_LARGE,
    TOPIC_AUTHORIZATION_FAILED,
    GapFreeProducer,
    abandon,
)

PARTITION = TopicPartition("topic", 0)


def _parameters(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)


def test_this_is_the_version_that_the_patches_were_read_in() -> None:
    assert version("aiokafka") == AIOKAFKA_VERSION


def test_the_producer_has_the_shape_that_is_patched() -> None:
    assert "self._sender = Sender(" in inspect.getsource(AIOKafkaProducer.__init__)
    assert "self._message_accumulator = MessageAccumulator(" in inspect.getsource(
        AIOKafkaProducer.__init__
    )
    assert _parameters(Sender._send_produce_req) == ["self", "node_id", "batches"]
    assert _parameters(SendProduceReqHandler._can_retry) == ["self", "error", "batch"]
    assert _parameters(SendProduceReqHandler.handle_response) == ["self", "response"]
    assert _parameters(MessageBatch.__init__) == ["self", "tp", "builder", "ttl", "linger_time"]
    assert "increment_sequence_number(batch.tp, batch.record_count)" in inspect.getsource(
        MessageAccumulator._pop_batch
    )


def test_the_consumer_has_the_shape_that_is_patched() -> None:
    assert _parameters(Fetcher._proc_fetch_request) == ["self", "assignment", "node_id", "request"]
    source = inspect.getsource(GroupCoordinator.__init__)
    for name in ("_coordination_task", "_heartbeat_task", "_commit_refresh_task"):
        assert f"self.{name} = " in source
    assert "self._fetcher" in inspect.getsource(AIOKafkaConsumer)


def test_aiokafka_still_leaves_a_gap_after_a_refused_batch() -> None:
    """Fails when upstream takes the numbers back; then GapFreeProducer can go."""
    assert "decrement" not in inspect.getsource(TransactionManager)
    assert "_txn_manager" not in inspect.getsource(SendProduceReqHandler.handle_response)


@pytest.fixture
async def producer():
    made = GapFreeProducer(
        bootstrap_servers="127.0.0.1:1", enable_idempotence=True, acks="all", linger_ms=0
    )
    made._txn_manager.set_pid_and_epoch(7, 0)
    yield made
    made._closed = True
    await made.client.close()


async def _queued(producer: GapFreeProducer, *values: bytes):
    accumulator = producer._message_accumulator
    futures = [
        await accumulator.add_message(PARTITION, b"k", value, 1.0, headers=[("h", value)])
        for value in values
    ]
    return accumulator._pop_batch(PARTITION), futures


async def test_a_refused_record_gives_its_sequence_number_back(producer: GapFreeProducer) -> None:
    batch, (future,) = await _queued(producer, b"large")
    assert producer._txn_manager.sequence_number(PARTITION) == 1

    producer._sender.refuse(batch, MESSAGE_TOO_LARGE, MessageSizeTooLargeError())

    assert producer._txn_manager.sequence_number(PARTITION) == 0
    assert isinstance(future.exception(), MessageSizeTooLargeError)
    assert producer.fault is None


@pytest.mark.parametrize("code", [MESSAGE_TOO_LARGE, INVALID_TIMESTAMP])
async def test_a_refused_batch_is_divided_in_order_until_one_record_is_at_fault(
    producer: GapFreeProducer, code: int
) -> None:
    batch, futures = await _queued(producer, b"a", b"bad", b"c", b"d")
    accumulator, stored = producer._message_accumulator, []

    producer._sender.refuse(batch, code, MessageSizeTooLargeError())
    while accumulator._batches.get(PARTITION):
        part = accumulator._pop_batch(PARTITION)
        if any(not f.done() for f, _ in part._msg_futures) and futures[1] in [
            f for f, _ in part._msg_futures
        ]:
            producer._sender.refuse(part, code, MessageSizeTooLargeError())
        else:
            part.done(len(stored))
            stored += [futures.index(f) for f, _ in part._msg_futures]

    assert stored == [0, 2, 3]
    assert isinstance(futures[1].exception(), MessageSizeTooLargeError)
    assert [f.result().offset for f in (futures[0], *futures[2:])] == [0, 1, 2]
    assert producer._txn_manager.sequence_number(PARTITION) == 3
    async with asyncio.timeout(1):
        await batch.future  # a flush may end now
    assert not accumulator._pending_batches


async def test_what_a_missing_right_refuses_is_not_divided(producer: GapFreeProducer) -> None:
    batch, futures = await _queued(producer, b"a", b"b")

    producer._sender.refuse(batch, TOPIC_AUTHORIZATION_FAILED, UnknownError())

    assert [type(f.exception()) for f in futures] == [UnknownError, UnknownError]
    assert producer._txn_manager.sequence_number(PARTITION) == 0


async def test_a_batch_that_may_be_stored_already_costs_the_producer(
    producer: GapFreeProducer,
) -> None:
    batch, (future,) = await _queued(producer, b"large")
    producer._message_accumulator.reenqueue(batch)
    again = producer._message_accumulator._pop_batch(PARTITION)

    producer._sender.refuse(again, MESSAGE_TOO_LARGE, MessageSizeTooLargeError())

    assert isinstance(producer.fault, MessageSizeTooLargeError)
    assert isinstance(future.exception(), MessageSizeTooLargeError)


async def test_a_batch_that_fails_while_it_waits_to_be_sent_again_raises_nothing(
    producer: GapFreeProducer,
) -> None:
    """Fails when upstream's callback discards; then `_PendingBatches` can go."""
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    accumulator = producer._message_accumulator
    batch, pending = await _queued(producer, b"1")
    accumulator.reenqueue(batch)
    accumulator.fail_all(KafkaError("given up"))
    await asyncio.gather(*pending, return_exceptions=True)
    await asyncio.sleep(0)
    assert failures == []
    assert "_pending_batches.remove" in inspect.getsource(type(accumulator)._pop_batch)


@pytest.mark.parametrize("waits_to_be_sent_again", [False, True])
async def test_what_an_abandoned_producer_still_held_is_no_error_of_the_process(
    producer: GapFreeProducer, *, waits_to_be_sent_again: bool
) -> None:
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    batch, _ = await _queued(producer, b"1")  # nobody waits for it
    if waits_to_be_sent_again:
        producer._message_accumulator.reenqueue(batch)

    await abandon(producer)
    producer._message_accumulator._pending_batches.clear()
    producer._message_accumulator._batches.clear()
    del batch
    gc.collect()
    await asyncio.sleep(0)

    assert failures == []


async def test_what_waits_for_metadata_ends_with_its_abandoned_connection(
    producer: GapFreeProducer,
) -> None:
    """As a send does after an error; its task, and the sender with it, would be left for ever."""
    waiting = asyncio.ensure_future(producer.client.force_metadata_update())

    await abandon(producer)

    async with asyncio.timeout(1):
        assert await waiting is False
