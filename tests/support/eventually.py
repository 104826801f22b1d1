"""Waiting for what happens elsewhere, without guessing how long it takes."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

POLL_SECONDS = 0.02


async def eventually(check: Callable[[], object | Awaitable[object]], timeout: float = 10) -> None:
    """Call `check` until it no longer raises AssertionError nor gives a false value (None is none).

    Raises:
        AssertionError: it still failed after `timeout` seconds; the last failure is its cause.
    """
    deadline = time.monotonic() + timeout
    while True:
        failure = await _failure_of(check)
        if failure is None:
            return
        if time.monotonic() >= deadline:
            raise AssertionError(f"still not so after {timeout} seconds: {failure}") from failure
        await asyncio.sleep(POLL_SECONDS)


async def _failure_of(
    check: Callable[[], object | Awaitable[object]],
) -> AssertionError | None:
    try:
        outcome = check()
        if inspect.isawaitable(outcome):
            outcome = await outcome
    except AssertionError as error:
        return error
    if outcome is None or outcome:
        return None
    return AssertionError(f"the check gives {outcome!r}")
