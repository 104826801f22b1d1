"""Micro-batches: what waits is answered together, each request with its own answer."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from archon_inference import Prediction
from deploy.serving.batcher import MicroBatcher
from deploy.serving.errors import ServerBusy
from tests.support.eventually import eventually


class HeldPredictor:
    """Answers with the text in capitals, once it may; notes its batches."""

    def __init__(self, name: str = "") -> None:
        self.batches: list[list[str]] = []
        self.free = threading.Event()
        self.failure: Exception | None = None
        self._name = name

    def predict(self, inputs: Sequence[str], *, k: int = 5) -> list[Prediction]:
        self.batches.append(list(inputs))
        self.free.wait(5)
        if self.failure:
            raise self.failure
        return [Prediction(f"{self._name}{text.upper()}", 1.0) for text in inputs]


@pytest.fixture
async def thread() -> AsyncIterator[ThreadPoolExecutor]:
    made = ThreadPoolExecutor(1)
    yield made
    made.shutdown(wait=False)


async def ask(batcher: MicroBatcher, predictor: HeldPredictor, *texts: str) -> list[asyncio.Task]:
    """Requests that wait, in this order."""
    tasks = [asyncio.create_task(batcher.predict(predictor, text)) for text in texts]
    await asyncio.sleep(0)
    return tasks


async def outputs(tasks: Sequence[asyncio.Task]) -> list[str]:
    return [(await task).output for task in tasks]


async def test_what_comes_during_a_batch_is_the_next_one(thread: ThreadPoolExecutor) -> None:
    batcher, predictor = MicroBatcher(thread), HeldPredictor()
    first = await ask(batcher, predictor, "a")
    await eventually(lambda: bool(predictor.batches))
    others = await ask(batcher, predictor, "b", "c", "d")

    predictor.free.set()

    assert await outputs([*first, *others]) == ["A", "B", "C", "D"]
    assert predictor.batches == [["a"], ["b", "c", "d"]]


async def test_a_batch_is_bounded_and_of_one_predictor(thread: ThreadPoolExecutor) -> None:
    batcher, one, two = MicroBatcher(thread, max_batch=2), HeldPredictor("1"), HeldPredictor("2")
    tasks = await ask(batcher, one, "a")
    await eventually(lambda: bool(one.batches))
    for predictor, text in ((one, "b"), (two, "c"), (one, "d"), (one, "e")):
        tasks += await ask(batcher, predictor, text)

    one.free.set()
    two.free.set()

    assert await outputs(tasks) == ["1A", "1B", "2C", "1D", "1E"]
    assert one.batches == [["a"], ["b", "d"], ["e"]]
    assert two.batches == [["c"]]


async def test_a_failure_is_that_of_its_batch_and_the_next_one_goes_on(
    thread: ThreadPoolExecutor,
) -> None:
    batcher, predictor = MicroBatcher(thread), HeldPredictor()
    predictor.free.set()
    predictor.failure = RuntimeError("no memory")
    with pytest.raises(RuntimeError, match="no memory"):
        await batcher.predict(predictor, "a")

    predictor.failure = None

    assert (await batcher.predict(predictor, "b")).output == "B"


async def test_more_than_may_wait_are_refused_and_the_others_answered(
    thread: ThreadPoolExecutor,
) -> None:
    batcher, predictor = MicroBatcher(thread, max_waiting=2), HeldPredictor()
    tasks = await ask(batcher, predictor, "a")
    await eventually(lambda: bool(predictor.batches))
    tasks += await ask(batcher, predictor, "b", "c")

    with pytest.raises(ServerBusy, match="2 requests wait"):
        await batcher.predict(predictor, "d")

    predictor.free.set()
    assert await outputs(tasks) == ["A", "B", "C"]


async def test_a_request_whose_caller_has_gone_is_not_computed(
    thread: ThreadPoolExecutor,
) -> None:
    batcher, predictor = MicroBatcher(thread), HeldPredictor()
    first = await ask(batcher, predictor, "a")
    await eventually(lambda: bool(predictor.batches))
    gone, stays = await ask(batcher, predictor, "b", "c")
    gone.cancel()
    await asyncio.sleep(0)

    predictor.free.set()

    assert await outputs([*first, stays]) == ["A", "C"]
    assert predictor.batches == [["a"], ["c"]]
