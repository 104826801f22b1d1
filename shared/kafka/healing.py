"""Replaces a consumer that will not read again by itself, in the running process.

Known ways to stand still without an end: a consumer that never comes back from a rejoin, a fetch
that hangs after its offset ran out of range, a right that was taken away from its group and given
back. And aiokafka's own tasks may end by an error that it does not expect, such as uvloop's on a
connection cut at the wrong moment.

A consumer is stalled when for `STALLED_CONSUMER_SECONDS` it had something to do, records to read or
a group to join, and neither its positions moved nor a handler ran within its own time, while Kafka
answers a new connection. An idle member of a group is not, nor is anybody while Kafka is away.
Nothing is lost or done twice by the replacement: it reads on from what is committed, and the inbox
knows what was handled since.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.errors import KafkaError

from archon_contracts.client.patches import has_ended, refresh_metadata, unauthorized_topics
from archon_contracts.client.security import missing_right
from shared.kafka.connections import ConnectionStates
from shared.kafka.patches import is_group_member
from shared.kafka.refusals import describe_error
from shared.kafka.watchdog import ConsumerHeartbeat

# Twice the rebalance timeout of `broker.py`: a group that still settles is not stalled.
STALLED_CONSUMER_SECONDS = 120.0
# Below the consumer's ERROR_MEMORY_SECONDS: an error that is over must not count as lasting.
LASTING_ERROR_SECONDS = 9.0
CHECK_INTERVAL_SECONDS = 3.0
# `position` waits for a partition that has none yet; the check must not wait with it.
POSITION_SECONDS = 1.0
MAXIMUM_BACKOFF_SECONDS: Final = 8.0


@dataclass(frozen=True, slots=True)
class SupervisedConsumer:
    """A consumer of aiokafka's, how far it is, and how it is replaced.

    `consumer` is None while the last replacement failed.
    """

    group_id: str
    consumer: Any
    heartbeat: ConsumerHeartbeat
    replace: Callable[[], Awaitable[None]]

    @property
    def connection(self) -> str:
        """Its name in readiness and log."""
        return f"consumer {self.group_id}"


@dataclass(frozen=True, slots=True)
class _ConsumerFault:
    reason: str
    heals_by_itself: bool = False


class ConsumerSupervisor:
    """A `Background`: looks after the consumers of a process."""

    name = "consumer-supervisor"

    def __init__(
        self,
        consumers: Callable[[], Sequence[SupervisedConsumer]],
        is_kafka_reachable: Callable[[], Awaitable[bool]],
        states: ConnectionStates,
        principal: str,
    ) -> None:
        self._consumers = consumers
        self._is_kafka_reachable = is_kafka_reachable
        self._states = states
        self._principal = principal
        self._backoff: dict[str, float] = {}
        self._next_try: dict[str, float] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        for each in self._consumers():
            each.heartbeat.beat()  # the start may have taken its time
        while True:
            # Side by side: one whose replacement takes its time keeps no other from its own.
            await asyncio.gather(*(self._check(each) for each in self._consumers()))
            await asyncio.sleep(CHECK_INTERVAL_SECONDS)

    async def _check(self, each: SupervisedConsumer) -> None:
        fault = await self._fault_of(each)
        if fault is None:
            # A replacement that could not start has no consumer, and keeps its own report.
            self._states.clear(each.connection)
            self._backoff.pop(each.group_id, None)
            return
        if fault.reason:
            self._states.report(each.connection, fault.reason)
        if fault.heals_by_itself:
            # Or what heals after minutes would be taken for a stall the moment that it reads on.
            each.heartbeat.beat()
        elif time.monotonic() >= self._next_try.get(each.group_id, 0):
            await self._replace(each)

    async def _replace(self, each: SupervisedConsumer) -> None:
        backoff = self._backoff.get(each.group_id, 1.0)
        # Each replacement rebalances the group, so one that does not help is repeated more rarely.
        self._backoff[each.group_id] = min(backoff * 2, MAXIMUM_BACKOFF_SECONDS)
        try:
            await each.replace()
        except (TimeoutError, KafkaError, OSError) as error:
            self._states.report(each.connection, self._describe(each, error))
        finally:
            self._next_try[each.group_id] = time.monotonic() + backoff
        each.heartbeat.beat()

    async def _fault_of(self, each: SupervisedConsumer) -> _ConsumerFault | None:
        consumer = each.consumer
        if consumer is None:
            return _ConsumerFault("")
        if has_ended(consumer):
            return _ConsumerFault("a task of its client has ended; see the log")
        if hidden := unauthorized_topics(consumer):
            # Found again by the first look after the right was given back, not 10 s later. A new
            # consumer would join its group without these topics, and once more with them.
            refresh_metadata(consumer)
            consumer.reset_errors()
            reason = missing_right(self._principal, "Read", "topic", *sorted(hidden))
            return _ConsumerFault(reason, heals_by_itself=True)
        if error := consumer.lasting_error(LASTING_ERROR_SECONDS):
            return _ConsumerFault(self._describe(each, error))
        if error := consumer.lasting_error(0.0):
            return _ConsumerFault(self._describe(each, error), heals_by_itself=True)
        if outage := consumer.outage(LASTING_ERROR_SECONDS):
            return _ConsumerFault(outage, heals_by_itself=True)
        return await self._stall_of(each)

    async def _stall_of(self, each: SupervisedConsumer) -> _ConsumerFault | None:
        if not await _has_pending_work(each.consumer, each.heartbeat):
            each.heartbeat.beat()
        elif time.monotonic() - each.heartbeat.at > STALLED_CONSUMER_SECONDS:
            if await self._is_kafka_reachable():
                return _ConsumerFault("records or a group wait, and it does not move")
            each.heartbeat.beat()  # a new consumer could do no better while Kafka is away
        return None

    def _describe(self, each: SupervisedConsumer, error: BaseException) -> str:
        return describe_error(error, principal=self._principal, group=each.group_id)


async def _has_pending_work(consumer: Any, heartbeat: ConsumerHeartbeat) -> bool:
    """Whether it has something to do; a member of a group without partitions has nothing."""
    positions: dict[Any, int] = {}
    waiting = not is_group_member(consumer)
    try:
        async with asyncio.timeout(POSITION_SECONDS):
            for partition in consumer.assignment():
                end = consumer.highwater(partition)
                if end is not None:
                    positions[partition] = await consumer.position(partition)
                    waiting |= positions[partition] < end
    except TimeoutError:
        waiting = True  # a partition without a position does not move either
    except (KafkaError, AssertionError):
        pass  # revoked during the look: an ordinary rebalance, and looked at again soon
    heartbeat.update_positions(positions)
    return waiting
