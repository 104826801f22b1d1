"""Production traffic: requests appended to the file that the agent reads."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import cycle
from pathlib import Path

from deploy.demo.client_log import ProductionRequest, append_line

# Users correct so many of the answers of the busy hours. What comes later is for the rollout.
BUSY_FRACTION, CORRECTED_FRACTION = 0.8, 0.8
LATER_USERS = 31


def make_requests(
    items: Sequence[tuple[str, str]], *, seed: int
) -> tuple[list[ProductionRequest], list[ProductionRequest]]:
    """Requests in random order: those of the busy hours, and those that come later.

    `items` are (input, right answer). A request with a correction is one whose user sends feedback:
    later that is everybody.
    """
    chance = random.Random(seed)
    order = chance.sample(items, len(items))
    busy = round(len(order) * BUSY_FRACTION)
    corrected = {
        *chance.sample(range(busy), round(busy * CORRECTED_FRACTION)),
        *range(busy, len(order)),
    }
    requests = [
        ProductionRequest(
            request_id=f"request-{n}", input=text, correction=right if n in corrected else None
        )
        for n, (text, right) in enumerate(order)
    ]
    return requests[:busy], requests[busy:]


def without_corrections(requests: Sequence[ProductionRequest]) -> list[ProductionRequest]:
    """The same requests, of users who say nothing."""
    return [request.model_copy(update={"correction": None}) for request in requests]


class Traffic:
    """Hands requests to the agent, all at once or at a steady pace."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = 0

    def send(self, requests: Sequence[ProductionRequest]) -> None:
        """Append requests as they are; the agent answers them one after the other."""
        with self._path.open("a") as file:
            for request in requests:
                append_line(file, request)

    @asynccontextmanager
    async def trickling(
        self, requests: Sequence[ProductionRequest], *, every_seconds: float
    ) -> AsyncIterator[None]:
        """Append one request at a time, over and over, while the block runs."""
        task = asyncio.create_task(self._trickle(requests, every_seconds))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _trickle(self, requests: Sequence[ProductionRequest], every_seconds: float) -> None:
        for request in cycle(requests):
            # Unique over all trickles, and a user comes again with another request.
            self._number += 1
            name, user = f"{request.request_id}-{self._number}", self._number % LATER_USERS
            asked = {"request_id": name, "unit_id": f"user-{user}"}
            self.send([request.model_copy(update=asked)])
            await asyncio.sleep(every_seconds)
