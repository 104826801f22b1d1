"""A coordinator that is killed while it handles a message: a child process that ends by SIGKILL."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shared.messaging.messages import Message
from tests.support.clocks import SetClock
from tests.support.coordinator.coordinator import coordinator_world

TIMEOUT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class KilledCoordinator:
    """Handles one message in a process of its own, and is killed -9 there."""

    database_url: str
    folder: Path

    async def handle(self, message: Message[Any], clock: SetClock, *, committed: bool) -> None:
        """It dies with its transaction done and not committed, or `committed` and not acknowledged.

        The child is forked from a server that has imported the coordinator, so it costs little.
        """
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        child = context.Process(target=_handle_and_die, args=(self, message, clock, committed))
        child.start()
        await asyncio.to_thread(child.join, TIMEOUT_SECONDS)
        assert child.exitcode == -signal.SIGKILL, f"it ended by itself: {child.exitcode}"


def _handle_and_die(
    coordinator: KilledCoordinator, message: Message[Any], clock: SetClock, committed: bool
) -> None:
    async def handle() -> None:
        place = coordinator.database_url, coordinator.folder
        async with coordinator_world(*place, clock=clock, is_migrated=True) as world:
            await world.handle(message, None if committed else _die)
            _die()

    asyncio.run(handle())


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
