"""Ends a process whose event loop is blocked; its supervisor starts it again.

A thread watches from outside the event loop; it does so from before the first record is read, since
a handler can block the loop while the rest still starts. A consumer that stands still is not the
process's end: `shared.kafka.healing` replaces it.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from shared.logging import get_logger

EXIT_STUCK = 75  # EX_TEMPFAIL: a new process may succeed
BLOCKED_LOOP_SECONDS = 60.0
CHECK_INTERVAL_SECONDS = 5.0
TICK_SECONDS = 0.5

log = get_logger(__name__)


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


class EventLoopWatchdog:
    """While the block lasts, a task ticks in the event loop and a thread listens for it."""

    # Not sys.exit: in a thread it would end the thread, and exit handlers may wait for
    # the blocked loop.
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


def _end_process(reason: str, end: Callable[[int], None]) -> None:
    log.critical("watchdog_ends_process", reason=reason)
    end(EXIT_STUCK)
