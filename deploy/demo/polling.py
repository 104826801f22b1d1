"""Waiting for a fact, with an end."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from deploy.demo.errors import StoryError
from deploy.gateway_client import ApiError

POLL_SECONDS = 0.25
PATIENCE_SECONDS = 300.0
T = TypeVar("T")


async def until(
    fact: str, probe: Callable[[], Awaitable[T | None]], *, seconds: float = PATIENCE_SECONDS
) -> T:
    """Ask `probe` until it gives something; a gateway that is away is asked again.

    Raises:
        StoryError: it never did; the sentence names the fact.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found = await probe()
        except ApiError as error:
            if not error.is_passing:
                raise
            found = None
        if found is not None:
            return found
        await asyncio.sleep(POLL_SECONDS)
    raise StoryError(f"The demo waited {seconds:.0f} s in vain for this: {fact}.")
