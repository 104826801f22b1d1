"""Waiting for a fact, with an end."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from deploy.demo.errors import DemoError
from deploy.gateway_client import ApiError

POLL_SECONDS = 0.25
TIMEOUT_SECONDS = 300.0
T = TypeVar("T")


async def poll_until(
    fact: str,
    probe: Callable[[], Awaitable[T | None]],
    *,
    seconds: float = TIMEOUT_SECONDS,
    every: float = POLL_SECONDS,
) -> T:
    """Ask `probe` until it gives something; a gateway that is away is asked again.

    Raises:
        DemoError: it never did; the sentence names the fact.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found = await probe()
        except ApiError as error:
            if not error.is_transient:
                raise
            found = None
        if found is not None:
            return found
        await asyncio.sleep(every)
    raise DemoError(f"The demo waited {seconds:.0f} s without success for this: {fact}.")
