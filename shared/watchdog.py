"""Ends a process that is stuck; its supervisor starts it again.

A thread watches from outside the event loop, so that a blocked loop is seen too. Known ways to be
stuck without an error: a consumer that never comes back from a rejoin, a fetch that hangs after
its offset ran out of range, a handler that blocks the loop. And aiokafka's own tasks may die of an
error that it does not expect, such as uvloop's on a connection cut at the wrong moment; the
consumer then stands still and says nothing.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from shared.errors import BrokerUnavailable
from shared.logging import get_logger

EXIT_STUCK = 75  # EX_TEMPFAIL: a new process may succeed
BLOCKED_LOOP_SECONDS = 60.0
STALLED_CONSUMER_SECONDS = 120.0
LOOK_SECONDS = 5.0

log = get_logger(__name__)


class ConsumerDied(BrokerUnavailable):
    """A task inside a consumer has ended; only a new consumer reads again."""


class Progress:
    """When a consumer last settled a record or tried to."""

    def __init__(self) -> None:
        self.at = time.monotonic()

    def beat(self) -> None:
        """Something moved."""
        self.at = time.monotonic()


class Watchdog:
    """A `Background`: its task ticks, its thread looks."""

    name = "watchdog"

    def __init__(
        self,
        consumers: Callable[[], Sequence[Any]],
        progress: Progress,
        *,
        end: Callable[[int], None] = os._exit,
    ) -> None:
        self._consumers = consumers
        self._progress = progress
        self._end = end
        self._tick = time.monotonic()
        self._over = threading.Event()

    async def run(self) -> None:
        """Tick and look for stalled consumers until cancelled.

        Raises:
            ConsumerDied: one will never read again. The process can still end in good order.
        """
        thread = threading.Thread(target=self._watch_loop, name="watchdog", daemon=True)
        thread.start()
        try:
            while True:
                self._tick = time.monotonic()
                if any(_has_died(consumer) for consumer in self._consumers()):
                    raise ConsumerDied("a consumer's background task has ended; see the log above")
                if not await self._lag():
                    self._progress.beat()
                elif time.monotonic() - self._progress.at > STALLED_CONSUMER_SECONDS:
                    self._bark("records wait, and no consumer has moved")
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._over.set()

    async def _lag(self) -> int:
        """Records that are known to wait in the assigned partitions."""
        waiting = 0
        for consumer in self._consumers():
            for partition in consumer.assignment():
                end = consumer.highwater(partition)
                if end is None:
                    continue
                try:
                    async with asyncio.timeout(1):
                        waiting += max(0, end - await consumer.position(partition))
                except TimeoutError:
                    waiting += 1  # a partition without a position does not move either
        return waiting

    def _watch_loop(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            if time.monotonic() - self._tick > BLOCKED_LOOP_SECONDS:
                self._bark("the event loop does not turn")
                return

    def _bark(self, reason: str) -> None:
        log.critical("watchdog_ends_process", reason=reason)
        self._end(EXIT_STUCK)


def _has_died(consumer: Any) -> bool:
    """Whether a task that an open consumer lives by is over. Private names; a test guards them."""
    tasks = (consumer._fetcher._fetch_task, consumer._coordinator._coordination_task)
    return not consumer._closed and any(task.done() for task in tasks)
