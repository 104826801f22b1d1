"""Ends a process that is stuck; its supervisor starts it again.

A thread watches from outside the event loop, so that a blocked loop is seen too; it does so from
before the first record is read, since a handler can block the loop while the rest still starts.
Known ways to be stuck without an error: a consumer that never comes back from a rejoin, a fetch
that hangs after its offset ran out of range, a handler that blocks the loop. And aiokafka's own
tasks may die of an error that it does not expect, such as uvloop's on a connection cut at the wrong
moment; the consumer then stands still and says nothing.

A consumer is stuck when for `STALLED_CONSUMER_SECONDS` it had something to do, records to read or
a group to join, and neither its positions moved nor a handler ran within its own time, while Kafka
answers a new connection. An idle member of a group is not, nor is anybody while Kafka is away.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from aiokafka.errors import KafkaError

from shared.errors import BrokerUnavailable
from shared.logging import get_logger

EXIT_STUCK = 75  # EX_TEMPFAIL: a new process may succeed
BLOCKED_LOOP_SECONDS = 60.0
STALLED_CONSUMER_SECONDS = 120.0
CHECK_INTERVAL_SECONDS = 5.0
TICK_SECONDS = 0.5
POSITION_SECONDS = 1.0

log = get_logger(__name__)


class ConsumerDied(BrokerUnavailable):
    """A task inside a consumer has ended; only a new consumer reads again."""


class ConsumerHeartbeat:
    """Until when one consumer is known to be well."""

    def __init__(self) -> None:
        self.at = time.monotonic()
        self._positions: Mapping[Any, int] = {}

    def beat(self) -> None:
        """Something moved, or there is nothing to do."""
        self.at = max(self.at, time.monotonic())

    def update_positions(self, positions: Mapping[Any, int]) -> None:
        """Records that were passed over have moved a position too."""
        before, self._positions = self._positions, dict(positions)
        if any(positions[p] > old for p, old in before.items() if p in positions):
            self.beat()

    @contextmanager
    def handler_running(self, timeout_seconds: float) -> Iterator[None]:
        """A handler runs, which is ended by itself after so long."""
        self.at = time.monotonic() + timeout_seconds
        try:
            yield
        finally:
            self.at = time.monotonic()


MonitoredConsumer = tuple[Any, ConsumerHeartbeat]
"""A consumer of aiokafka's, and how far it is."""


class EventLoopWatchdog:
    """While the block lasts, a task ticks in the event loop and a thread listens for it."""

    def __init__(self, *, end: Callable[[int], None] = os._exit) -> None:
        self._end = end
        self._tick = time.monotonic()
        self._over = threading.Event()
        self._ticking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._ticking = asyncio.create_task(self._keep_ticking(), name="watch of the loop")
        threading.Thread(target=self._monitor, name="watchdog", daemon=True).start()

    async def __aexit__(self, *_error: object) -> None:
        self._over.set()
        if self._ticking is not None:
            self._ticking.cancel()

    async def _keep_ticking(self) -> None:
        while True:
            self._tick = time.monotonic()
            await asyncio.sleep(TICK_SECONDS)

    def _monitor(self) -> None:
        while not self._over.wait(CHECK_INTERVAL_SECONDS):
            if time.monotonic() - self._tick > BLOCKED_LOOP_SECONDS:
                _end_process("the event loop does not turn", self._end)
                return


class Watchdog:
    """A `Background`: looks for stalled consumers."""

    name = "watchdog"

    def __init__(
        self,
        consumers: Callable[[], Sequence[MonitoredConsumer]],
        is_kafka_reachable: Callable[[], Awaitable[bool]],
        *,
        end: Callable[[int], None] = os._exit,
    ) -> None:
        self._consumers = consumers
        self._is_kafka_reachable = is_kafka_reachable
        self._end = end

    async def run(self) -> None:
        """Look until cancelled.

        Raises:
            ConsumerDied: one will never read again. The process can still end in good order.
        """
        for _, heartbeat in self._consumers():
            heartbeat.beat()  # the start may have taken its time
        while True:
            for consumer, heartbeat in self._consumers():
                await self._check(consumer, heartbeat)
            await asyncio.sleep(CHECK_INTERVAL_SECONDS)

    async def _check(self, consumer: Any, heartbeat: ConsumerHeartbeat) -> None:
        if _has_died(consumer):
            raise ConsumerDied("a consumer's background task has ended; see the log above")
        if not await _has_pending_work(consumer, heartbeat):
            heartbeat.beat()
        elif time.monotonic() - heartbeat.at > STALLED_CONSUMER_SECONDS:
            if await self._is_kafka_reachable():
                _end_process("records or a group wait, and a consumer does not move", self._end)
            heartbeat.beat()  # a new process could do no better while Kafka is away


def _end_process(reason: str, end: Callable[[int], None]) -> None:
    log.critical("watchdog_ends_process", reason=reason)
    end(EXIT_STUCK)


async def _has_pending_work(consumer: Any, heartbeat: ConsumerHeartbeat) -> bool:
    """Whether it has something to do; a member of a group without partitions has nothing."""
    positions: dict[Any, int] = {}
    waiting = not _is_member(consumer)
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


def _is_member(consumer: Any) -> bool:
    """Whether its group knows it, and no rejoin is under way. Private names; a test guards them."""
    coordinator = consumer._coordinator
    return (
        coordinator.coordinator_id is not None
        and coordinator.generation > 0
        and not coordinator._rejoin_needed_fut.done()
        and not consumer._subscription.reassignment_in_progress
    )


def _has_died(consumer: Any) -> bool:
    """Whether a task that an open consumer lives by is over. Private names; a test guards them."""
    tasks = (consumer._fetcher._fetch_task, consumer._coordinator._coordination_task)
    return not consumer._closed and any(task.done() for task in tasks)
