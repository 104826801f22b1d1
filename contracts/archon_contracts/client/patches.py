"""Every private name of aiokafka that the clients rely on, with its reason and when it can go.

A test fails when aiokafka's version changes or when one of these names changes its shape. Then
look at each of them again, and remove what upstream has mended.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final

from archon_contracts.client.errors import MissingExtraError

try:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
    from aiokafka.consumer.group_coordinator import NoGroupCoordinator
    from aiokafka.errors import BrokerResponseError, KafkaError, for_code
    from aiokafka.producer.message_accumulator import BatchBuilder, MessageBatch
    from aiokafka.producer.sender import Sender, SendProduceReqHandler
    from aiokafka.protocol.fetch import FetchRequest
    from aiokafka.record.memory_records import MemoryRecords
except ModuleNotFoundError as error:
    raise MissingExtraError("aiokafka", "kafka") from error

AIOKAFKA_VERSION: Final = "0.14.0"
"""The version that these names were read in."""

# Error codes of the Kafka protocol.
MESSAGE_TOO_LARGE: Final = 10
RECORD_LIST_TOO_LARGE: Final = 18
TOPIC_AUTHORIZATION_FAILED: Final = 29
CLUSTER_AUTHORIZATION_FAILED: Final = 31
INVALID_TIMESTAMP: Final = 32
INVALID_RECORD: Final = 87
ABANDON_SECONDS: Final = 5.0
Fetch = Callable[[Any, int, Any], Awaitable[bool]]
"""A fetch of an assignment's records from one node by one request."""

NOT_STORED: Final = frozenset({
    MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE, TOPIC_AUTHORIZATION_FAILED,
    CLUSTER_AUTHORIZATION_FAILED, INVALID_TIMESTAMP, INVALID_RECORD,
    17, 35, 43, 44, 76,  # topic name, versions, message format, policy, compression
})  # fmt: skip
"""Answers to a produce request by which nothing of the batch was stored."""
ONE_RECORD_AT_FAULT: Final = frozenset({
    MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE, INVALID_TIMESTAMP, INVALID_RECORD,
})  # fmt: skip
"""Of these, the ones that one record may cause for its whole batch."""


class InvalidRecordError(BrokerResponseError):  # type: ignore[misc]  # aiokafka ships no types
    """The broker takes no such record: no key on a compacted topic, for example."""

    errno = INVALID_RECORD
    message = "INVALID_RECORD"
    description = "the topic takes no such record (a compacted topic wants a key)"


# aiokafka counts the sequence numbers of a batch when it is first sent, and does not take them
# back when the broker refuses the batch. Every later batch of the partition is then refused with
# OutOfOrderSequenceNumber (aio-libs/aiokafka#1017). Can go when that issue is closed and a refused
# batch is divided as the Java client's is (KAFKA-3995); test_patches and kafka_real show it.
class GapFreeProducer(AIOKafkaProducer):  # type: ignore[misc]  # aiokafka ships no types
    """An idempotent producer that goes on after a refused record, and refuses that record alone."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        sender, accumulator = self._sender, self._message_accumulator
        # Expiry would use up sequence numbers of a batch that was never sent; whoever waits for an
        # idempotent producer has a timeout of its own.
        accumulator._batch_ttl = math.inf
        accumulator._pending_batches = _PendingBatches()
        self._sender: _GapFreeSender = _GapFreeSender(
            self.client,
            acks=sender._acks,
            txn_manager=self._txn_manager,
            message_accumulator=accumulator,
            retry_backoff_ms=round(sender._retry_backoff * 1000),
            request_timeout_ms=self._request_timeout_ms,
        )

    @property
    def fault(self) -> BaseException | None:
        """Why only a new producer can send, or None."""
        task = self._sender.sender_task
        if task is not None and task.done():
            ended: BaseException = KafkaError("its sender has ended")
            return ended if task.cancelled() else task.exception() or ended
        fault: BaseException | None = self._sender.fault
        return fault

    @property
    def retried_error(self) -> BaseException | None:
        """The last error after which a batch was sent again: why an acknowledgement is late."""
        return self._sender.retried_error


# aiokafka takes a batch that is to be sent again out of its set of pending ones, and once more when
# it fails meanwhile, as when its producer is given up: a traceback each. Can go when its callback
# discards.
class _PendingBatches(set[Any]):
    """A set from which a batch may be removed twice."""

    def remove(self, batch: Any) -> None:
        self.discard(batch)


class _GapFreeSender(Sender):  # type: ignore[misc]  # aiokafka ships no types
    """Takes back the sequence numbers of what was refused, and divides a refused batch."""

    fault: BaseException | None = None
    retried_error: BaseException | None = None

    async def _send_produce_req(self, node_id: int, batches: dict[TopicPartition, Any]) -> None:
        await _ProduceHandler(self, dict(batches)).do(node_id)
        self._in_flight.remove(node_id)
        for partition in batches:
            self._muted_partitions.remove(partition)

    def refuse(self, batch: Any, code: int, error: BaseException) -> None:
        """Settle a batch of which the broker stored nothing."""
        if self._txn_manager is not None:
            if batch.retry_count > 1:
                # An earlier attempt may have been stored, so its numbers must not come again: the
                # broker would take the next records for that batch and drop them.
                self.fault = error
                batch.failure(exception=error)
                return
            self._txn_manager.increment_sequence_number(batch.tp, -batch.record_count)
        if batch.record_count > 1 and code in ONE_RECORD_AT_FAULT:
            self._divide(batch, code)
        else:
            batch.failure(exception=error)

    def _divide(self, batch: Any, code: int) -> None:
        """Put both halves where the batch was, before all that came after it."""
        accumulator = self._message_accumulator
        raw = bytes(batch.get_data_buffer())
        if code == MESSAGE_TOO_LARGE:
            # The next batches need not be as large only to be refused and divided again.
            accumulator._batch_size = min(accumulator._batch_size, max(len(raw) // 2, 1))
        records = list(MemoryRecords(raw).next_batch())
        futures = [future for future, _ in batch._msg_futures]
        middle = len(records) // 2
        parts = [
            self._part(batch.tp, records[part], futures[part])
            for part in (slice(0, middle), slice(middle, None))
        ]
        queue = accumulator._batches[batch.tp]
        queue.extendleft(reversed(parts))

        def settle(_part: asyncio.Future[Any]) -> None:
            # A flush waits for the batch, so it is settled only with both of its parts.
            if all(part.future.done() for part in parts) and not batch.future.done():
                batch.future.set_result(None)

        for part in parts:
            part.future.add_done_callback(settle)

    def _part(
        self, partition: TopicPartition, records: Sequence[Any], futures: Sequence[Any]
    ) -> Any:
        accumulator = self._message_accumulator
        # Without a limit: these records were one batch already, whatever the limit is now.
        builder = BatchBuilder(2**31 - 1, accumulator._compression_type)
        part = MessageBatch(partition, builder, math.inf, 0)
        for record, future in zip(records, futures, strict=True):
            part.append(
                record.key,
                record.value,
                record.timestamp,
                _create_future=partial(_same, future),
                headers=record.headers,
            )
        builder.close()
        return part


class _ProduceHandler(SendProduceReqHandler):  # type: ignore[misc]  # aiokafka ships no types
    def handle_response(self, response: Any) -> None:
        self._sender.retried_error = None  # unless a partition of this answer says otherwise
        for topic, partitions in response.topics:
            for number, code, *_ in partitions:
                partition = TopicPartition(topic, number)
                if code in NOT_STORED and partition in self._batches:
                    self._sender.refuse(self._batches.pop(partition), code, _error_of(code, topic))
        super().handle_response(response)

    def _can_retry(self, error: BaseException, batch: Any) -> bool:
        can_retry = bool(super()._can_retry(error, batch))
        if can_retry:
            self._sender.retried_error = error
        else:
            # Whether it was stored is not known, so neither is the next sequence number.
            self._sender.fault = error
        return can_retry


def _same(future: asyncio.Future[Any]) -> asyncio.Future[Any]:
    return future


def _error_of(code: int, topic: str) -> BaseException:
    kind = InvalidRecordError if code == INVALID_RECORD else for_code(code)
    return kind(topic) if code == TOPIC_AUTHORIZATION_FAILED else kind()


# aiokafka's stop() of a producer flushes for ever, and that of a group's member waits for its
# coordinator, while the broker is away (aio-libs/aiokafka#1101). Can go when stop() takes a
# timeout.
async def abandon(connection: Any) -> None:
    """End what a producer or consumer still runs, without a word to the broker."""
    connection._closed = True
    if isinstance(connection, AIOKafkaProducer):
        sender = connection._sender.sender_task
        if sender is not None:
            sender.cancel()
        # Before the sender: it ends only when its requests do, and they end with the connections.
        await _close_client(connection.client)
        if sender is not None:
            await asyncio.wait([sender], timeout=ABANDON_SECONDS)
        _fail_quietly(connection._message_accumulator, KafkaError("the producer was closed"))
        return
    fetcher = connection._fetcher
    for task in _coordinator_tasks(group_coordinator(connection)):
        task.cancel()
    if fetcher is not None:
        with contextlib.suppress(asyncio.CancelledError, KafkaError):  # of a fetch in flight
            await fetcher.close()
    await _close_client(connection._client)


async def _close_client(client: Any) -> None:
    """Disconnect, and let no task wait for metadata that a closed client never gets."""
    await client.close()
    waited_for = client._md_update_fut
    if waited_for is not None and not waited_for.done():
        waited_for.set_result(False)


def _fail_quietly(accumulator: Any, error: BaseException) -> None:
    """Fail what was not sent; that nobody asks for it any more is no error of the process."""
    queued = [batch for batches in accumulator._batches.values() for batch in batches]
    batches = {*queued, *accumulator._pending_batches}
    accumulator.fail_all(error)
    for batch in batches:
        sends = (future for future, _ in batch._msg_futures)
        for future in (batch.future, batch._drain_waiter, *sends):
            if future.done() and not future.cancelled():
                future.exception()


def _coordinator_tasks(coordinator: Any) -> list[asyncio.Task[Any]]:
    """What runs for a member of a group; nothing without a group."""
    names = ("_coordination_task", "_heartbeat_task", "_commit_refresh_task")
    tasks = (getattr(coordinator, name) for name in names) if coordinator is not None else ()
    return [task for task in tasks if task is not None and not task.done()]


# aiokafka gives a consumer without a group a coordinator that shares next to nothing with a
# group's. Can go when it has none.
def group_coordinator(consumer: Any) -> Any | None:
    """What keeps a started consumer in its group; None without a group, and before the start."""
    coordinator = consumer._coordinator
    return None if isinstance(coordinator, NoGroupCoordinator) else coordinator


# aiokafka's consumer always joins its group as somebody new, and where the one before it could not
# leave, the group waits for that one until its session times out. Can go when a consumer takes its
# member id as an argument.
def member_id(consumer: AIOKafkaConsumer) -> str:
    """A consumer's id in its group; empty before the first join, and without a group."""
    coordinator = group_coordinator(consumer)
    return "" if coordinator is None else str(coordinator.member_id)


def take_place(consumer: AIOKafkaConsumer, member_id: str) -> None:
    """Let a consumer that has not joined its group yet rejoin it as this member."""
    coordinator = group_coordinator(consumer)
    if coordinator is not None:
        coordinator.member_id = member_id


# aiokafka has no hook between two fetches. Can go when the embedded broker long-polls.
def wrap_fetches(consumer: AIOKafkaConsumer, wrap: Callable[[Fetch], Fetch]) -> None:
    """Put `wrap` round each fetch of a started consumer; a fetch says whether it brought data."""
    fetcher = consumer._fetcher
    fetcher._proc_fetch_request = wrap(fetcher._proc_fetch_request)


# aiokafka gives up an offset that the broker no longer has, and raises nothing. Can go when it
# calls a listener.
def valid_offsets(assignment: Any) -> dict[TopicPartition, int]:
    """The next offset of each assigned partition that has one."""
    states = {partition: assignment.state_value(partition) for partition in assignment.tps}
    return {p: state.position for p, state in states.items() if state.has_valid_position}


def offsets_out_of_range(assignment: Any) -> set[TopicPartition]:
    """Partitions whose next offset is sought anew; we never seek to an end ourselves."""
    return {p for p in assignment.tps if assignment.state_value(p).awaiting_reset}


# aiokafka calls a listener for the partitions of a group only. Can go when it calls one without.
async def wait_for_partitions(consumer: AIOKafkaConsumer) -> None:
    """Wait until a consumer that has subscribed has partitions."""
    # Its future is for the next assignment, which may be one without partitions.
    while not consumer.assignment():
        await consumer._subscription.wait_for_assignment()


# aiokafka says nothing of a task of its own that has ended. Can go when its consumer has such a
# state.
def has_ended(consumer: Any) -> bool:
    """Whether a task that an open consumer lives by is over."""
    if consumer._closed or consumer._fetcher is None:
        return False
    coordinator = group_coordinator(consumer)
    coordination = None if coordinator is None else coordinator._coordination_task
    tasks = (consumer._fetcher._fetch_task, coordination)
    return any(task is not None and task.done() for task in tasks)


# aiokafka only logs which topics its metadata leave out for want of a right. Can go when the
# consumer raises it.
def unauthorized_topics(consumer: Any) -> set[str]:
    """Topics that the broker does not let this consumer see."""
    return set(consumer._client.cluster.unauthorized_topics)


# aiokafka looks for such a topic again only when its metadata are old. Can go when it does so with
# its retry backoff.
def refresh_metadata(consumer: Any) -> None:
    """Have the metadata of topics read now; the consumer then joins its group again if needed."""
    consumer._client.force_metadata_update()


# aiokafka tries a fetch and the search for a coordinator or a leader again for ever, and only logs
# it. Can go when its consumer says what it waits for.
def observe_fetches(
    consumer: AIOKafkaConsumer, report: Callable[[int, KafkaError | None], None]
) -> None:
    """Call `report` after each fetch of a started consumer: with its node, and its error if any."""
    client = consumer._client
    send = client.send

    async def observed_send(node_id: int, request: Any, **options: Any) -> Any:
        try:
            response = await send(node_id, request, **options)
        except KafkaError as error:
            if isinstance(request, FetchRequest):
                report(node_id, error)
            raise
        if isinstance(request, FetchRequest):
            report(node_id, None)
        return response

    client.send = observed_send


def lacks_coordinator(consumer: AIOKafkaConsumer) -> bool:
    """Whether a member of a group knows no coordinator that answers it."""
    coordinator = group_coordinator(consumer)
    return coordinator is not None and coordinator.coordinator_id is None


def partitions_without_leader(consumer: AIOKafkaConsumer) -> list[TopicPartition]:
    """Assigned partitions that no node serves now, in order."""
    leader_of = consumer._client.cluster.leader_for_partition
    return sorted(each for each in consumer.assignment() if leader_of(each) in (None, -1))
