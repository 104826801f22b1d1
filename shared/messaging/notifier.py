"""In-process wake-ups: whoever commits tells the relay and the workers beside it."""

from __future__ import annotations

import asyncio


class Waiter:
    """An event that several tasks wait for; a ring while nobody waits is not lost."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        """Wake the waiter, now or at its next wait."""
        self._event.set()

    async def wait(self, timeout_seconds: float) -> None:
        """Return when rung, or when the time is over."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._event.wait()
        except TimeoutError:
            return
        finally:
            self._event.clear()


class Notifier:
    """One waiter per sleeper, all rung together after a commit."""

    def __init__(self) -> None:
        self._waiters: list[Waiter] = []

    def add_waiter(self) -> Waiter:
        """A waiter for one more sleeper."""
        waiter = Waiter()
        self._waiters.append(waiter)
        return waiter

    def notify(self) -> None:
        """Something was committed."""
        for waiter in self._waiters:
            waiter.notify()
