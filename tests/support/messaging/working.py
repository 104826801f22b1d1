"""A worker that runs while a test looks on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from shared.work.worker import Worker


@contextlib.asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[None]:
    """The worker runs during the block; running work is handed back at its end."""
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
