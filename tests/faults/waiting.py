"""Waiting for quiet: a check that asks a database is asked a few times a second, not fifty."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

POLL_SECONDS = 0.1


async def until(check: Callable[[], Awaitable[bool]], *, timeout: float) -> bool:
    """Ask until the answer is yes; False when the time is over. Failed questions are a no."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            async with asyncio.timeout(max(0.1, deadline - time.monotonic())):
                if await check():
                    return True
        except (OSError, TimeoutError):
            pass  # the one who is asked may be down: that is what these scenarios do
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(POLL_SECONDS)


async def until_still(
    check: Callable[[], Awaitable[bool]],
    progress: Callable[[], Awaitable[object]],
    *,
    stall_seconds: float,
) -> bool:
    """Ask until the answer is yes; False once nothing has moved for `stall_seconds` seconds.

    How long a backlog takes depends on the machine; whether it is being worked off does not.
    """
    loop = asyncio.get_running_loop()
    seen: object = None
    moved = loop.time()
    while loop.time() - moved < stall_seconds:
        if await until(check, timeout=min(stall_seconds, 2.0)):
            return True
        try:
            now = await progress()
        except (OSError, TimeoutError):
            continue
        if now != seen:
            seen, moved = now, loop.time()
    return False


@contextlib.asynccontextmanager
async def beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Work without an end beside the block; what breaks it breaks the scenario."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
