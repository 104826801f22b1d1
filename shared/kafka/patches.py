"""Every private name of aiokafka and FastStream that the services rely on.

Each has its reason and says when it can go. A test fails when a version changes or when one of
these names changes its shape: then look at each of them again. What producers need is in
`archon_contracts.client.patches`, which ships alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.consumer import fetcher
from aiokafka.errors import UnknownMemberIdError
from aiokafka.protocol.group import JoinGroupRequest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.record.default_records import _DefaultRecordBatchPy, _DefaultRecordPy
from faststream.kafka import KafkaBroker

from archon_contracts.client.patches import group_coordinator, take_place, valid_offsets

FASTSTREAM_VERSION: Final = "0.7.8"
"""The version that these names were read in; aiokafka's is in the clients' module."""
NO_GENERATION: Final = -1


# aiokafka decodes a whole batch or none of it, and has no hook for a reader of one's own. Both can
# go when a record that does not decode no longer stops its partition.
RecordBatch: TypeAlias = _DefaultRecordBatchPy
Record: TypeAlias = _DefaultRecordPy


def replace_batch_reader(reader: type) -> None:
    """Let every consumer of this process read fetched bytes with `reader`."""
    fetcher.MemoryRecords = reader


def undecoded_records(batch: RecordBatch) -> tuple[bytearray, int, int]:
    """The uncompressed bytes of an iterated batch, where its records begin, and their number."""
    return batch._buffer, batch._pos, batch._num_records


# aiokafka's admin client has no method for ACLs. Can go when it has create_acls.
async def send_admin_request(admin: AIOKafkaAdminClient, request: Any) -> Any:
    """Send a request of the admin protocol to the controller; returns its answer."""
    return await admin._send_to_controller(request)


# aiokafka's admin client asks any node, not each. Can go when describe_topics() takes a node.
def node_ids(admin: AIOKafkaAdminClient) -> list[int]:
    """The brokers of a started admin client's cluster."""
    return [broker.nodeId for broker in admin._client.cluster.brokers()]


async def topics_led(admin: AIOKafkaAdminClient, node_id: int) -> set[str]:
    """Topics of which this node knows a leader of every partition."""
    answer = await admin._send_request(MetadataRequest(None), node_id)
    return {
        topic["topic"]
        for topic in answer.to_object()["topics"]
        if topic["partitions"] and all(each["leader"] >= 0 for each in topic["partitions"])
    }


# aiokafka's position() waits for partitions that have none yet. Can go when it can be asked
# without waiting.
def valid_positions(consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
    """Of the assigned partitions that have one."""
    assignment = active_assignment(consumer)
    return {} if assignment is None else valid_offsets(assignment)


# aiokafka gives an assignment no number by which it could be compared with the next. Can go when it
# shows the group's generation.
def active_assignment(consumer: AIOKafkaConsumer) -> Any | None:
    """The assignment in force, another object after each rebalance; none of a closed consumer."""
    subscription = consumer._subscription.subscription
    assignment = subscription.assignment if subscription and not consumer._closed else None
    return assignment if assignment is not None and assignment.active else None


# aiokafka says nothing of a rejoin that never ends (aio-libs/aiokafka#625, #1037). Can go when its
# consumer has such a state.
def is_group_member(consumer: Any) -> bool:
    """Whether its group knows it, and no rejoin is under way."""
    coordinator = group_coordinator(consumer)
    return (
        coordinator is not None
        and coordinator.coordinator_id is not None
        and coordinator.generation > 0
        and not coordinator._rejoin_needed_fut.done()
        and not consumer._subscription.reassignment_in_progress
    )


# aiokafka drops its member id as soon as a commit or heartbeat names an old generation, and joins
# as somebody new. The group then waits for the one it knew: on Apache Kafka until its session times
# out, on brokers that cannot replace a leader for ever. Other clients keep the id until the broker
# does not know it. Can go when aiokafka keeps it, too.
def keep_member_id(consumer: AIOKafkaConsumer) -> None:
    """Make a started consumer rejoin under its own id; it goes when a join refuses it."""
    coordinator = group_coordinator(consumer)
    if coordinator is None:
        return
    reset, send = coordinator.reset_generation, coordinator._send_req
    member_id_rejected = False

    async def recording_send(request: Any) -> Any:
        nonlocal member_id_rejected
        response = await send(request)
        if isinstance(request, JoinGroupRequest):
            member_id_rejected = response.error_code == UnknownMemberIdError.errno
        return response

    def reset_generation() -> None:
        if member_id_rejected:
            reset()
            return
        coordinator.generation = NO_GENERATION
        coordinator.request_rejoin()

    coordinator._send_req = recording_send
    coordinator.reset_generation = reset_generation


# aiokafka goes on with a commit whose caller has given it up, and nobody then asks for its error: a
# traceback each. Can go when a commit takes a timeout.
def retrieve_late_commits(consumer: AIOKafkaConsumer) -> None:
    """Let the error of a commit that was given up be no error of the process."""
    coordinator = group_coordinator(consumer)
    if coordinator is None:
        return
    commit = coordinator._do_commit_offsets

    def commit_offsets(assignment: Any, offsets: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.ensure_future(commit(assignment, offsets))
        task.add_done_callback(_retrieve_error)
        return task

    coordinator._do_commit_offsets = commit_offsets


def _retrieve_error(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


# aiokafka's consumer makes its coordinator within start() and joins at once: only then can it be
# given a member id. Can go with `take_place`.
class RejoiningConsumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka ships no types
    """A consumer that joins its group in another's place, if it is given one, and keeps its id."""

    def __init__(self, *, member_id: str = "", **options: Any) -> None:
        # First: aiokafka's constructor sets the attribute that is a property here.
        self._first_member_id = member_id
        super().__init__(**options)

    @property
    def _coordinator(self) -> Any:
        return self.__dict__["_coordinator"]

    @_coordinator.setter
    def _coordinator(self, coordinator: Any) -> None:
        self.__dict__["_coordinator"] = coordinator
        if coordinator is not None:
            keep_member_id(self)
            retrieve_late_commits(self)
            take_place(self, self._first_member_id)


# aiokafka keeps what each partition's fetch was refused with until somebody asks, one error a call,
# and FastStream sleeps 5 s after each: a right that is given back to a topic of twelve partitions
# was noticed after a minute. Can go when one of the two asks again by itself.
def discard_fetch_errors(consumer: AIOKafkaConsumer) -> None:
    """Let a started consumer fetch again what was refused: what still is, is so anew, in ms."""
    kept = consumer._fetcher
    refused = [
        partition
        for partition, result in kept._records.items()
        if isinstance(result, fetcher.FetchError)
    ]
    for partition in refused:
        del kept._records[partition]
    if refused:
        kept._notify(kept._wait_consume_future)


# FastStream builds its consumers from a class that it names itself. Can go when a broker takes the
# class as an argument.
def use_consumer_class(broker: KafkaBroker, build: Callable[..., AIOKafkaConsumer]) -> None:
    """Let a connected broker build its consumers so; its options of the connection stay."""
    config = broker.config.broker_config
    options = config.builder.keywords if isinstance(config.builder, partial) else {}
    config.builder = partial(build, **options)
