"""A stuck process is ended; a waiting or a working one is not."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import pytest
from aiokafka.errors import IllegalStateError

from shared.kafka import watchdog as module
from shared.kafka.watchdog import (
    EXIT_STUCK,
    ConsumerDied,
    ConsumerHeartbeat,
    EventLoopWatchdog,
    Watchdog,
)
from tests.support.eventually import eventually


class ConsumerInternals:
    """A part of aiokafka's consumer, with the task that it lives by."""

    def __init__(self) -> None:
        self._fetch_task = self._coordination_task = asyncio.get_running_loop().create_future()
        self._rejoin_needed_fut = asyncio.get_running_loop().create_future()
        self.coordinator_id: int | None = 1
        self.generation = 7
        self.reassignment_in_progress = False


class FakeConsumer:
    """One partition with its end and its position, or none."""

    def __init__(self, end: int, position: int, *, partitions: Sequence[str] = ("one",)) -> None:
        self._end, self._position, self._partitions = end, position, partitions
        self._fetcher, self._coordinator, self._closed = (
            ConsumerInternals(),
            ConsumerInternals(),
            False,
        )
        self._subscription = ConsumerInternals()

    def assignment(self) -> Sequence[str]:
        return self._partitions

    def highwater(self, _partition: str) -> int:
        return self._end

    async def position(self, _partition: str) -> int:
        return self._position


class Moving(FakeConsumer):
    """Always behind, and always a record further; no handler hears of these records."""

    async def position(self, _partition: str) -> int:
        self._position, self._end = self._position + 1, self._end + 1
        return self._position


class Revoked(FakeConsumer):
    """Loses its partition between two steps of a look."""

    def __init__(self, *, at_end: bool) -> None:
        super().__init__(end=5, position=3)
        self._at_end = at_end

    def highwater(self, _partition: str) -> int:
        assert not self._at_end, "Partition is not assigned"
        return self._end

    async def position(self, _partition: str) -> int:
        raise IllegalStateError("Partition is not assigned")


@pytest.fixture(autouse=True)
def _short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECK_INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(module, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(module, "STALLED_CONSUMER_SECONDS", 0.05)
    monkeypatch.setattr(module, "BLOCKED_LOOP_SECONDS", 0.2)


async def _yes() -> bool:
    return True


async def _no() -> bool:
    return False


async def _exit_codes(
    *consumers: FakeConsumer,
    answers: Callable[[], Awaitable[bool]] = _yes,
    heartbeat: ConsumerHeartbeat | None = None,
) -> list[int]:
    codes: list[int] = []
    watched = [(consumer, heartbeat or ConsumerHeartbeat()) for consumer in consumers]
    watchdog = Watchdog(lambda: watched, answers, end=codes.append)
    task = asyncio.create_task(watchdog.run())
    try:
        await eventually(lambda: bool(codes) or task.done(), timeout=0.3)
        if not codes:
            await task  # it may not end by itself
    except AssertionError as error:
        if "assigned" in str(error):
            raise
        return []
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return codes[:1]


def _out_of_group(**coordinator: object) -> FakeConsumer:
    consumer = FakeConsumer(end=0, position=0, partitions=())
    for name, value in coordinator.items():
        setattr(consumer._coordinator, name, value)
    return consumer


async def test_a_consumer_that_leaves_records_waiting_ends_the_process() -> None:
    assert await _exit_codes(FakeConsumer(end=5, position=3)) == [EXIT_STUCK]


async def test_an_idle_consumer_is_left_alone() -> None:
    assert await _exit_codes(FakeConsumer(end=5, position=5)) == []


async def test_a_blocked_loop_ends_the_process() -> None:
    seen: list[int] = []
    async with EventLoopWatchdog(end=seen.append):
        time.sleep(0.5)  # noqa: ASYNC251  the blocked loop is what is tested
    assert seen == [EXIT_STUCK]


async def test_a_turning_loop_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCKED_LOOP_SECONDS", 1.0)
    seen: list[int] = []
    async with EventLoopWatchdog(end=seen.append):
        await asyncio.sleep(1.5)
    assert seen == []


async def test_nobody_watches_the_loop_after_the_end() -> None:
    seen: list[int] = []
    async with EventLoopWatchdog(end=seen.append):
        pass
    time.sleep(0.5)  # noqa: ASYNC251  the blocked loop is what is tested
    assert seen == []


async def test_a_consumer_whose_fetches_have_died_ends_the_process_in_good_order() -> None:
    consumer = FakeConsumer(end=5, position=5)
    consumer._fetcher._fetch_task.set_exception(RuntimeError("the handler is closed"))
    with pytest.raises(ConsumerDied):
        await Watchdog(lambda: [(consumer, ConsumerHeartbeat())], _yes).run()


async def test_a_consumer_that_is_being_closed_is_no_dead_one() -> None:
    consumer = FakeConsumer(end=5, position=5)
    consumer._fetcher._fetch_task.set_result(None)
    consumer._closed = True
    assert await _exit_codes(consumer) == []


async def test_a_stalled_consumer_is_seen_beside_a_busy_one() -> None:
    assert await _exit_codes(Moving(end=9, position=1), FakeConsumer(5, 3)) == [EXIT_STUCK]


async def test_records_that_are_passed_over_are_progress() -> None:
    assert await _exit_codes(Moving(end=9, position=1)) == []


@pytest.mark.parametrize("at_end", [True, False])
async def test_a_partition_that_is_revoked_during_a_look_ends_nothing(at_end: bool) -> None:
    assert await _exit_codes(Revoked(at_end=at_end)) == []


async def test_an_idle_member_of_a_group_is_left_alone() -> None:
    assert await _exit_codes(_out_of_group()) == []


@pytest.mark.parametrize("lack", [{"coordinator_id": None}, {"generation": -1}])
async def test_a_consumer_in_no_group_ends_the_process(lack: dict[str, object]) -> None:
    assert await _exit_codes(_out_of_group(**lack)) == [EXIT_STUCK]


async def test_a_consumer_that_never_comes_back_from_a_rejoin_ends_the_process() -> None:
    consumer = FakeConsumer(end=5, position=5)
    consumer._subscription.reassignment_in_progress = True
    assert await _exit_codes(consumer) == [EXIT_STUCK]


async def test_a_consumer_waits_with_kafka_for_as_long_as_that_is_away() -> None:
    assert await _exit_codes(_out_of_group(coordinator_id=None), answers=_no) == []


async def test_a_handler_within_its_own_time_is_progress() -> None:
    heartbeat = ConsumerHeartbeat()
    with heartbeat.handler_running(300):
        assert await _exit_codes(FakeConsumer(end=5, position=3), heartbeat=heartbeat) == []
    assert await _exit_codes(FakeConsumer(end=5, position=3), heartbeat=heartbeat) == [EXIT_STUCK]
