"""Micro-batching: requests that come while a batch is computed are the next batch.

Nobody waits for a batch to fill: an idle model answers one request at once, and the fuller it gets
the larger the batches, which is where a matrix product gains.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Final, NamedTuple

from archon_inference import Prediction, Predictor
from deploy.serving.errors import ServerBusy

MAX_BATCH: Final = 32
"""Texts of one batch: a longer one gains little on a CPU core, and delays whoever comes next."""
MAX_WAITING: Final = 1_024


class WaitingRequest(NamedTuple):
    """A text that a predictor is to answer."""

    predictor: Predictor
    text: str
    answer: asyncio.Future[Prediction]


class MicroBatcher:
    """Predicts on one thread, in batches of one predictor each; used from one event loop."""

    def __init__(
        self, thread: Executor, *, max_batch: int = MAX_BATCH, max_waiting: int = MAX_WAITING
    ) -> None:
        self._thread = thread
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._waiting: deque[WaitingRequest] = deque()
        self._running: asyncio.Task[None] | None = None

    async def predict(self, predictor: Predictor, text: str) -> Prediction:
        """The predictor's answer.

        Raises:
            ServerBusy: too many requests wait.
        """
        if len(self._waiting) >= self._max_waiting:
            raise ServerBusy(
                f"{len(self._waiting)} requests wait for an answer; send it again in a second"
            )
        loop = asyncio.get_running_loop()
        request = WaitingRequest(predictor, text, loop.create_future())
        self._waiting.append(request)
        if self._running is None or self._running.done():
            self._running = loop.create_task(self._run())
        return await request.answer

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while batch := self._next_batch():
            texts = [request.text for request in batch]
            computing = loop.run_in_executor(self._thread, batch[0].predictor.predict, texts)
            # A failure is that of the requests, whatever a library raises; the next batch goes on.
            (found,) = await asyncio.gather(computing, return_exceptions=True)
            _settle(batch, found)

    def _next_batch(self) -> list[WaitingRequest]:
        """The oldest request, and others for the same predictor; the rest keep their places."""
        batch: list[WaitingRequest] = []
        others: list[WaitingRequest] = []
        while self._waiting and len(batch) < self._max_batch:
            request = self._waiting.popleft()
            if request.answer.cancelled():  # its caller has gone
                continue
            fits = not batch or request.predictor is batch[0].predictor
            (batch if fits else others).append(request)
        self._waiting.extendleft(reversed(others))
        return batch


def _settle(batch: Sequence[WaitingRequest], found: Sequence[Prediction] | BaseException) -> None:
    for place, request in enumerate(batch):
        if request.answer.done():
            continue
        if isinstance(found, BaseException):
            request.answer.set_exception(found)
        else:
            request.answer.set_result(found[place])
