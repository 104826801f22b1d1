"""A stuck process is ended; a waiting or a working one is not."""

import asyncio
import time

import pytest

from shared import watchdog as module
from shared.watchdog import EXIT_STUCK, ConsumerDied, Progress, Watchdog
from tests.support.eventually import eventually


class Part:
    """A part of aiokafka's consumer, with the task that it lives by."""

    def __init__(self) -> None:
        self._fetch_task = self._coordination_task = asyncio.get_running_loop().create_future()


class Consumer:
    """One partition with its end and its position."""

    def __init__(self, end: int, position: int) -> None:
        self._end, self._position = end, position
        self._fetcher, self._coordinator, self._closed = Part(), Part(), False

    def assignment(self) -> list[str]:
        return ["partition"]

    def highwater(self, _partition: str) -> int:
        return self._end

    async def position(self, _partition: str) -> int:
        return self._position


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "STALLED_CONSUMER_SECONDS", 0.05)
    monkeypatch.setattr(module, "BLOCKED_LOOP_SECONDS", 0.2)


async def _exit_codes(consumer: Consumer, *, blocked: bool = False) -> list[int]:
    codes: list[int] = []
    watchdog = Watchdog(lambda: [consumer], Progress(), end=codes.append)
    task = asyncio.create_task(watchdog.run())
    if blocked:
        await asyncio.sleep(0.05)
        time.sleep(0.5)  # noqa: ASYNC251  the blocked loop is what is tested
    try:
        await eventually(lambda: bool(codes), timeout=0.3)
    except AssertionError:
        return []
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return codes[:1]


async def test_a_consumer_that_leaves_records_waiting_ends_the_process() -> None:
    assert await _exit_codes(Consumer(end=5, position=3)) == [EXIT_STUCK]


async def test_an_idle_consumer_is_left_alone() -> None:
    assert await _exit_codes(Consumer(end=5, position=5)) == []


async def test_a_blocked_loop_ends_the_process() -> None:
    assert await _exit_codes(Consumer(end=5, position=5), blocked=True) == [EXIT_STUCK]


async def test_a_consumer_whose_fetches_have_died_ends_the_process_in_good_order() -> None:
    consumer = Consumer(end=5, position=5)
    consumer._fetcher._fetch_task.set_exception(RuntimeError("the handler is closed"))
    with pytest.raises(ConsumerDied):
        await Watchdog(lambda: [consumer], Progress()).run()


async def test_a_consumer_that_is_being_closed_is_no_dead_one() -> None:
    consumer = Consumer(end=5, position=5)
    consumer._fetcher._fetch_task.set_result(None)
    consumer._closed = True
    assert await _exit_codes(consumer) == []
