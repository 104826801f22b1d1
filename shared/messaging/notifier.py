"""In-process wake-ups: whoever commits tells the relay and the workers beside it."""

from __future__ import annotations

import asyncio


class Wakeup:
    """An event that several tasks wait for; a ring while nobody waits is not lost."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake the waiter, now or at its next wait."""
        self._event.set()

    async def wait(self, at_most_seconds: float) -> None:
        """Return when rung, or when the time is over."""
        try:
            async with asyncio.timeout(at_most_seconds):
                await self._event.wait()
        except TimeoutError:
            return
        finally:
            self._event.clear()


class Wakeups:
    """One bell per sleeper, all rung together after a commit."""

    def __init__(self) -> None:
        self._bells: list[Wakeup] = []

    def new(self) -> Wakeup:
        """A bell for one more sleeper."""
        bell = Wakeup()
        self._bells.append(bell)
        return bell

    def ring(self) -> None:
        """Something was committed."""
        for bell in self._bells:
            bell.ring()
