"""Production traffic: requests appended to the file that the agent reads."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import cycle
from pathlib import Path

from deploy.demo.client_log import Request, append

# Users correct so many of the answers of the busy hours; nobody judges what comes later.
BUSY_SHARE, CORRECTED_SHARE = 0.9, 0.8


def as_requests(
    items: Sequence[tuple[str, str]], *, seed: int
) -> tuple[list[Request], list[Request]]:
    """Requests in random order: those of the busy hours, and those that come later.

    `items` are (input, right answer). A request with a correction is one whose user will tell.
    """
    chance = random.Random(seed)
    order = chance.sample(items, len(items))
    busy = round(len(order) * BUSY_SHARE)
    judged = set(chance.sample(range(busy), round(busy * CORRECTED_SHARE)))
    requests = [
        Request(request_id=f"request-{n}", input=text, correction=right if n in judged else None)
        for n, (text, right) in enumerate(order)
    ]
    return requests[:busy], requests[busy:]


class Traffic:
    """Hands requests to the agent, all at once or at a steady pace."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, requests: Sequence[Request]) -> None:
        """Append requests; the agent answers them one after the other."""
        with self._path.open("a") as file:
            for request in requests:
                append(file, request)

    @asynccontextmanager
    async def trickling(
        self, requests: Sequence[Request], *, every_seconds: float
    ) -> AsyncIterator[None]:
        """Append one request at a time, over and over, while the block runs."""
        task = asyncio.create_task(self._trickle(requests, every_seconds))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _trickle(self, requests: Sequence[Request], every_seconds: float) -> None:
        for number, request in enumerate(cycle(requests)):
            self.send([request.model_copy(update={"request_id": f"{request.request_id}-{number}"})])
            await asyncio.sleep(every_seconds)
