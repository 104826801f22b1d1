"""Typed events from Kafka, one after the other, for downstream services."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from pydantic import ValidationError

from archon_contracts.base import Contract
from archon_contracts.client.errors import MissingExtraError, SubscriptionError
from archon_contracts.client.healing import HealingConsumer, OffsetGap
from archon_contracts.client.producer import CLIENT_ID, METADATA_MAX_AGE_MS
from archon_contracts.envelope import Envelope, HeaderView, record_time
from archon_contracts.identifiers import derived_id
from archon_contracts.namespace import Namespace
from archon_contracts.rules.bounds import SATURATE

try:
    from aiokafka import ConsumerRecord, TopicPartition
    from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
except ModuleNotFoundError as error:
    raise MissingExtraError("aiokafka", "kafka") from error

log = logging.getLogger(__name__)

T = TypeVar("T", bound=Contract)

COMMIT_INTERVAL_SECONDS: Final = 1.0
TIMEOUT_SECONDS: Final = 15.0
READER_REQUEST_TIMEOUT_MS: Final = 12_000
"""As a producer's, but longer than a session: a join waits until a member that was killed is out of
the group."""
READER_OPTIONS: Final[Mapping[str, Any]] = {
    # An event counts as handled when the next one is asked for, which aiokafka cannot know.
    "enable_auto_commit": False,
    # What an aborted transaction wrote must not be read.
    "isolation_level": "read_committed",
    # New partitions, a topic made again and a right given back are noticed as soon.
    "metadata_max_age_ms": METADATA_MAX_AGE_MS,
    "request_timeout_ms": READER_REQUEST_TIMEOUT_MS,
}


@dataclass(frozen=True, slots=True)
class ReceivedEvent(Generic[T]):
    """One event and where it was read. It counts as handled when the next one is asked for."""

    event: T
    envelope: Envelope
    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class UnreadableRecord:
    """A record that is none of the system's events, with its bytes and what is wrong with it."""

    reason: str
    topic: str
    partition: int
    offset: int
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


def log_unreadable(record: UnreadableRecord) -> None:
    """Warn of a record that was passed over; its content is not logged."""
    log.warning(
        "passed over %s[%d]@%d: %s", record.topic, record.partition, record.offset, record.reason
    )


# More than six parameters: they are what a subscriber has to say, each with a name and a default.
async def subscribe(
    bootstrap_servers: str,
    *types: type[T],
    tenant_id: str | None,
    group_id: str | None = None,
    from_beginning: bool = True,
    idle_wait_seconds: float = 0.0,
    on_unreadable: Callable[[UnreadableRecord], None] = log_unreadable,
    on_fault: Callable[[str], None] | None = None,
    connection: Mapping[str, Any] | None = None,
    namespace: str = "",
) -> AsyncGenerator[ReceivedEvent[T], None]:
    """Yield events of the given types, of one tenant, for as long as the caller asks.

    `tenant_id` has no default, since names are unique within a tenant only: an agent that compares
    its name alone would take another tenant's model. None is every tenant.

    With a `group_id`, members share the partitions and progress is kept: an event is committed
    soon after the next one is asked for, so after a crash the last ones come again (dedupe by
    `envelope.id`). Without one, every partition is read and nothing is kept: right for the
    compacted configuration topic. `from_beginning` matters where no progress is kept yet.
    `idle_wait_seconds` is for brokers that do not long-poll (see `idle_fetch`); `connection` holds
    further options of aiokafka's consumer; `namespace` is the deployment's, before `group_id` too.
    Wrap it in `contextlib.aclosing` to leave at once. Any outage is waited out (see `healing`);
    `on_fault` is called with each new reason, and with "" when events can be read again.

    Raises:
        BrokerUnavailableError: Kafka could not be reached at the start.
        TopicMissingError: a topic of these types does not exist.
        SubscriptionError: no type was named, or a record cannot be decoded.
    """
    wanted = {contract.message_type(): contract for contract in types}
    prefix = Namespace(namespace)
    topics = sorted({prefix.qualify(contract.topic.name) for contract in types})
    if not topics:
        raise SubscriptionError("name at least one type of event")
    names = {
        "bootstrap_servers": bootstrap_servers,
        "group_id": prefix.qualify(group_id) if group_id is not None else None,
    }
    reader = HealingConsumer(
        {**names, **_reader_options(prefix, from_beginning), **(connection or {})},
        topics,
        timeout_seconds=TIMEOUT_SECONDS,
        idle_wait_seconds=idle_wait_seconds,
        on_gap=_log_gap,
        on_fault=on_fault,
    )
    await reader.start()
    progress = _Progress(reader, kept=group_id is not None)
    try:
        while True:
            record = await progress.next_record()
            received = _read(record, prefix.plain(record.topic), wanted, on_unreadable)
            if received and tenant_id in (None, received.event.tenant_id):
                yield received
            await progress.handled(record)
    finally:
        await progress.commit()
        await reader.stop()


def _reader_options(prefix: Namespace, from_beginning: bool) -> dict[str, Any]:
    return {
        **READER_OPTIONS,
        "client_id": prefix.qualify(CLIENT_ID),
        "auto_offset_reset": "earliest" if from_beginning else "latest",
    }


def _log_gap(gap: OffsetGap) -> None:
    log.error("lost to this subscription: %s", gap)


class _Progress:
    """What has been handled and is not committed yet."""

    def __init__(self, reader: HealingConsumer, *, kept: bool) -> None:
        self._reader = reader
        self._kept = kept
        self._next_offsets: dict[TopicPartition, int] = {}
        self._committed_at = time.monotonic()

    async def next_record(self) -> ConsumerRecord:
        """The next record; while none comes is a good moment to keep what is done."""
        while True:
            record = await self._reader.next_record(COMMIT_INTERVAL_SECONDS)
            if record is not None:
                return record
            await self.commit()

    async def handled(self, record: ConsumerRecord) -> None:
        """Note one record; commit when the last commit is a while ago."""
        if not self._kept:
            return
        self._next_offsets[TopicPartition(record.topic, record.partition)] = record.offset + 1
        if time.monotonic() - self._committed_at >= COMMIT_INTERVAL_SECONDS:
            await self.commit()

    async def commit(self) -> None:
        """Commit what this member still owns; a failure only means that events come again."""
        self._committed_at = time.monotonic()
        consumer = self._reader.consumer
        if consumer is None:
            # Being made again: what is not committed comes again. Another member may have gone on
            # meanwhile, and these offsets, committed later, would put the group back.
            self._next_offsets.clear()
            return
        owned = consumer.assignment()
        offsets = {tp: offset for tp, offset in self._next_offsets.items() if tp in owned}
        if not offsets:
            self._next_offsets.clear()
            return
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await consumer.commit(offsets)
        except TimeoutError:
            log.warning("Kafka did not take a commit within %g s", TIMEOUT_SECONDS)
            return
        except (CommitFailedError, IllegalStateError) as error:
            log.info("partitions moved to another member before a commit: %s", error)
        except KafkaError as error:
            log.warning("a commit failed: %s", error)
            return
        self._next_offsets.clear()


def _read(
    record: ConsumerRecord,
    topic: str,
    wanted: Mapping[str, type[T]],
    on_unreadable: Callable[[UnreadableRecord], None],
) -> ReceivedEvent[T] | None:
    """The event, or None where it is of another type, a tombstone or unreadable."""
    headers = HeaderView.of(record.headers)
    contract = wanted.get(headers.text("ce_type"))
    place = (topic, record.partition, record.offset)
    if contract is None:
        if not headers.text("ce_type"):
            reason = "no readable ce_type header"
            on_unreadable(UnreadableRecord(reason, *place, record.value, tuple(record.headers)))
        return None
    # A tombstone says that a key was deleted, and is no event.
    if record.value is None and contract.topic.compacted:
        return None
    try:
        event = contract.model_validate_json(record.value or b"", context=SATURATE)
    except ValidationError as error:
        reason = _describe_validation_error(error)
        on_unreadable(UnreadableRecord(reason, *place, record.value, tuple(record.headers)))
        return None
    envelope = Envelope.of(
        headers,
        absent_id=derived_id("record", *place),
        absent_time=record_time(record.timestamp),
    )
    return ReceivedEvent(event, envelope, *place)


def _describe_validation_error(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'body'}: {problem['msg']}" for problem in problems
    )
