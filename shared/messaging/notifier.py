"""In-process wake-ups: whoever commits notifies the relay and the workers beside it."""

from __future__ import annotations

import asyncio


class Waiter:
    """An event for one waiting task; a notification before the wait is kept."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        """Wake the task, now or at its next wait."""
        self._event.set()

    async def wait(self, timeout_seconds: float) -> None:
        """Return when notified, or after the timeout."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._event.wait()
        except TimeoutError:
            return
        finally:
            # After the wait: a notification that came while the task was busy ends its
            # next wait at once.
            self._event.clear()


class Notifier:
    """One waiter per waiting task; all are notified after a commit."""

    def __init__(self) -> None:
        self._waiters: list[Waiter] = []

    def add_waiter(self) -> Waiter:
        """A waiter for one more task."""
        waiter = Waiter()
        self._waiters.append(waiter)
        return waiter

    def notify(self) -> None:
        """Notify all waiters that something was committed."""
        for waiter in self._waiters:
            waiter.notify()
