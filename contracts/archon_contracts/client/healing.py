"""The consumer of a subscription, closed and made again whenever it cannot read on.

An outage, a right that was taken away, a task of aiokafka that has ended: each is logged when it
begins, every 30 s while it lasts, and when it is over, and is tried again with backoff for as long
as the subscription is wanted. aiokafka waits an outage out by itself and raises nothing, so its
fetches are observed.

Records that were deleted before they were read are reported with their offsets. Retention deletes
by age or size, read or not: a consumer whose next offset is gone goes on with the first one that is
there, and aiokafka logs it in a line that names neither of both.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from archon_contracts.client.errors import (
    BrokerUnavailableError,
    MissingExtraError,
    SubscriptionError,
    TopicMissingError,
)
from archon_contracts.client.idle_fetch import pace_idle_fetches
from archon_contracts.client.lifetime import start, stop
from archon_contracts.client.patches import (
    Fetch,
    abandon,
    has_ended,
    lacks_coordinator,
    member_id,
    observe_fetches,
    offsets_out_of_range,
    partitions_without_leader,
    refresh_metadata,
    take_place,
    unauthorized_topics,
    valid_offsets,
    wait_for_partitions,
    wrap_fetches,
)
from archon_contracts.client.security import (
    MISSING_RIGHT_ERRORS,
    describe_missing_right,
    missing_right,
    principal_in,
)

try:
    from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
    from aiokafka.errors import CorruptRecordException, KafkaError
except ModuleNotFoundError as error:
    raise MissingExtraError("aiokafka", "kafka") from error

REPORT_SECONDS: Final = 30.0
MAXIMUM_BACKOFF_SECONDS: Final = 8.0
CLOSE_SECONDS: Final = 5.0
"""Much less than the start's: what is being replaced would not answer for longer either."""
ERROR_MEMORY_SECONDS: Final = 12.0
"""An error not met for so long is over: tries come at most 8 s apart, FastStream's 5 s."""
OUTAGE_SECONDS: Final = 3.0
"""What is over sooner, as the change of a leader is, is no outage."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OffsetGap:
    """A partition is read on at `resumed_at`, though `expected` would have been next.

    `resumed_at` below `expected`: the topic was made again, or its end was lost.
    """

    topic: str
    partition: int
    expected: int
    resumed_at: int

    def __str__(self) -> str:
        place = f"{self.topic}[{self.partition}]"
        if self.resumed_at < self.expected:
            return (
                f"{place} has no offset {self.expected} any more and is read on from "
                f"{self.resumed_at}: the topic was made again, or its end was lost"
            )
        return (
            f"offsets {self.expected} to {self.resumed_at - 1} of {place} were deleted before "
            "they were read; see the topic's retention"
        )


def report_gaps(consumer: AIOKafkaConsumer, report: Callable[[OffsetGap], None]) -> None:
    """Let a started consumer call `report` for each gap that it meets from now on."""
    expected: dict[Any, int] = {}
    current: Any = None

    def wrap(fetch: Fetch) -> Fetch:
        async def observed_fetch(assignment: Any, node_id: int, request: Any) -> bool:
            nonlocal current
            if assignment is not current:
                # A rebalance: another member may have read on, and what it read is no gap.
                expected.clear()
                current = assignment
            before = valid_offsets(assignment)
            for partition in expected.keys() & before.keys():
                resumed, was = before[partition], expected.pop(partition)
                report(OffsetGap(partition.topic, partition.partition, was, resumed))
            brought = await fetch(assignment, node_id, request)
            if assignment is current:
                for partition in offsets_out_of_range(assignment) & before.keys():
                    expected[partition] = before[partition]
            return brought

        return observed_fetch

    wrap_fetches(consumer, wrap)


class LastingError:
    """An error that comes again and again, and since when."""

    def __init__(self) -> None:
        self._error: BaseException | None = None
        self._since = self._at = 0.0

    def record(self, error: BaseException | None) -> None:
        """It came (again), or what it kept from happening has happened: None."""
        now = time.monotonic()
        if self._error is None or now - self._at > ERROR_MEMORY_SECONDS:
            self._since = now
        self._error, self._at = error, now

    def lasting(self, at_least_seconds: float) -> BaseException | None:
        """The error, if it has come for so long, up to now."""
        is_over = time.monotonic() - self._at > ERROR_MEMORY_SECONDS
        return None if is_over or self._at - self._since < at_least_seconds else self._error


class ReadOutage:
    """What a consumer waits for in silence: a coordinator, a leader, a node's answer to a fetch."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._fetch_errors: dict[int, LastingError] = {}
        self._first_seen: dict[str, float] = {}

    def observe(self) -> None:
        """Begin, once the consumer has started."""
        observe_fetches(self._consumer, self.record_fetch)

    def record_fetch(self, node: int, error: KafkaError | None) -> None:
        """A node answered a fetch, or did not."""
        self._fetch_errors.setdefault(node, LastingError()).record(error)

    def describe(self, at_least_seconds: float) -> str:
        """What it has waited for since so long, and goes on to try by itself; empty: nothing.

        To be asked every few seconds: who leads and coordinates is only looked at then.
        """
        without_coordinator = self._lasted("coordinator", seen=lacks_coordinator(self._consumer))
        leaderless = partitions_without_leader(self._consumer)
        without_leader = self._lasted("leader", seen=bool(leaderless))
        if without_coordinator >= at_least_seconds:
            return "no coordinator of its group answers; too few of Kafka's nodes may be there"
        if without_leader >= at_least_seconds:
            topic, partition = leaderless[0]
            return f"{len(leaderless)} of its partitions have no leader: {topic}[{partition}], ..."
        for node, errors in self._fetch_errors.items():
            if error := errors.lasting(at_least_seconds):
                return f"node {node} has records to read and does not answer: {error!r}"
        return ""

    def _lasted(self, lack: str, *, seen: bool) -> float:
        """For how many seconds something has been lacking at every look; -1: it is not."""
        if not seen:
            self._first_seen.pop(lack, None)
            return -1.0
        now = time.monotonic()
        return now - self._first_seen.setdefault(lack, now)


class FaultLog:
    """One line when a fault begins and when it is over, and one every 30 s between.

    `on_change` is called with each new reason, and with an empty text when the fault is over.
    """

    def __init__(self, on_change: Callable[[str], None] | None = None) -> None:
        self._on_change = on_change
        self._reason = ""
        self._since = self._logged_at = 0.0
        self._failures = 0

    @property
    def failures(self) -> int:
        """How often it failed since it last worked."""
        return self._failures

    def report(self, reason: object) -> None:
        """It does not work, for this reason."""
        now, before = time.monotonic(), self._reason
        self._failures += 1
        self._reason = str(reason) or type(reason).__name__
        if not before:
            self._since = self._logged_at = now
            log.warning("the subscription cannot read, and tries again: %s", self._reason)
        elif now - self._logged_at >= REPORT_SECONDS:
            self._logged_at = now
            log.warning(
                "the subscription has not read for %d s (%d failures): %s",
                now - self._since,
                self._failures,
                self._reason,
            )
        if self._on_change is not None and self._reason != before:
            self._on_change(self._reason)

    def clear(self) -> None:
        """It works (again)."""
        if not self._reason:
            return
        log.info("the subscription reads again after %d s", time.monotonic() - self._since)
        self._reason, self._failures = "", 0
        if self._on_change is not None:
            self._on_change("")


class HealingConsumer:
    """Reads topics record by record, whatever becomes of the single consumers behind it."""

    def __init__(
        self,
        options: Mapping[str, Any],
        topics: Sequence[str],
        *,
        timeout_seconds: float,
        idle_wait_seconds: float,
        on_gap: Callable[[OffsetGap], None],
        on_fault: Callable[[str], None] | None = None,
    ) -> None:
        self._options = dict(options)
        self._topics = topics
        self._timeout = timeout_seconds
        self._idle_wait = idle_wait_seconds
        self._on_gap = on_gap
        self._faults = FaultLog(on_fault)
        self._outage: ReadOutage | None = None
        # Where a reader without a group goes on: Kafka keeps no offsets for it.
        self._positions: dict[TopicPartition, int] = {}
        self._member_id = ""
        self.consumer: AIOKafkaConsumer | None = None

    async def start(self) -> None:
        """Connect and subscribe.

        Raises:
            BrokerUnavailableError: Kafka could not be reached in time.
            TopicMissingError: a topic does not exist.
        """
        consumer = AIOKafkaConsumer(**self._options)
        await start(
            consumer,
            required_topics=self._topics,
            timeout_seconds=self._timeout,
            options=self._options,
        )
        pace_idle_fetches(consumer, maximum_wait_seconds=self._idle_wait)
        report_gaps(consumer, self._on_gap)
        outage = ReadOutage(consumer)
        outage.observe()
        take_place(consumer, self._member_id)
        # After the hooks above: the first fetch has to go through them.
        consumer.subscribe(self._topics)
        try:
            if self._options["group_id"] is None:
                await self._seek(consumer)
        except BaseException:
            await stop(consumer, timeout_seconds=CLOSE_SECONDS)
            raise
        self.consumer, self._outage = consumer, outage

    async def next_record(self, wait_seconds: float) -> ConsumerRecord | None:
        """The next record; None when none came in time.

        Raises:
            SubscriptionError: a record cannot be decoded, which no new consumer will change.
        """
        consumer = await self._connected()
        if consumer is None:
            return None
        try:
            async with asyncio.timeout(wait_seconds):
                record = await consumer.getone()
        except TimeoutError:
            await self._look_after(consumer)
            return None
        except CorruptRecordException as error:
            raise SubscriptionError(f"cannot read on: {error}") from error
        except KafkaError as error:
            await self._replace(consumer, error)
            return None
        # Other nodes may bring records while one is away.
        if self._faults.failures and not self._describe_outage():
            self._faults.clear()
        place = TopicPartition(record.topic, record.partition)
        self._positions[place] = record.offset + 1
        return record

    async def stop(self) -> None:
        """Leave and disconnect."""
        consumer, self.consumer = self.consumer, None
        if consumer is not None:
            await stop(consumer, timeout_seconds=self._timeout)

    async def _look_after(self, consumer: AIOKafkaConsumer) -> None:
        """Nothing came: there may be nothing, or this consumer will never bring anything."""
        if has_ended(consumer):
            await self._replace(consumer, "a task of its client has ended")
        elif hidden := unauthorized_topics(consumer):
            refresh_metadata(consumer)
            principal = principal_in(self._options)
            self._faults.report(missing_right(principal, "Read", "topic", *sorted(hidden)))
        elif outage := self._describe_outage():
            self._faults.report(outage)
        else:
            self._faults.clear()

    def _describe_outage(self) -> str:
        return "" if self._outage is None else self._outage.describe(OUTAGE_SECONDS)

    async def _replace(self, consumer: AIOKafkaConsumer, reason: object) -> None:
        self._faults.report(self._describe(reason))
        self.consumer, self._member_id = None, member_id(consumer) or self._member_id
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await consumer.stop()
        except (TimeoutError, KafkaError, OSError, RuntimeError):
            await abandon(consumer)

    def _describe(self, reason: object) -> object:
        if isinstance(reason, MISSING_RIGHT_ERRORS):
            group = str(self._options["group_id"] or "")
            return describe_missing_right(
                reason, principal=principal_in(self._options), group=group
            )
        return repr(reason) if isinstance(reason, BaseException) else reason

    async def _connected(self) -> AIOKafkaConsumer | None:
        """The consumer, made again where the last was given up; None while that fails."""
        if self.consumer is None:
            await asyncio.sleep(self._backoff())
            try:
                await self.start()
            except (BrokerUnavailableError, TopicMissingError, KafkaError) as error:
                self._faults.report(error)
        return self.consumer

    def _backoff(self) -> float:
        return min(0.5 * 2.0 ** min(self._faults.failures, 10), MAXIMUM_BACKOFF_SECONDS)

    async def _seek(self, consumer: AIOKafkaConsumer) -> None:
        """Go on after what was read; at the first start, remember where each partition begins."""
        try:
            async with asyncio.timeout(self._timeout):
                await wait_for_partitions(consumer)
                for partition in consumer.assignment():
                    if partition in self._positions:
                        consumer.seek(partition, self._positions[partition])
                    else:
                        self._positions[partition] = await consumer.position(partition)
        except TimeoutError as error:
            raise BrokerUnavailableError(
                "cannot reach Kafka: the topics' partitions did not come in time"
            ) from error
