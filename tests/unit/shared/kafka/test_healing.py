"""A consumer that will not read again is replaced; a waiting or a working one is not."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import pytest
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    IllegalStateError,
    KafkaConnectionError,
    TopicAuthorizationFailedError,
)

from shared.kafka import healing as module
from shared.kafka.connections import ConnectionStates
from shared.kafka.healing import ConsumerSupervisor, SupervisedConsumer
from shared.kafka.watchdog import ConsumerHeartbeat
from tests.support.eventually import eventually


class ConsumerInternals:
    """A part of aiokafka's consumer, with the task that it lives by."""

    def __init__(self) -> None:
        self._fetch_task = self._coordination_task = asyncio.get_running_loop().create_future()
        self._rejoin_needed_fut = asyncio.get_running_loop().create_future()
        self.coordinator_id: int | None = 1
        self.generation = 7
        self.reassignment_in_progress = False
        self.cluster = self
        self.unauthorized_topics: set[str] = set()
        self.metadata_updates = 0

    def force_metadata_update(self) -> None:
        self.metadata_updates += 1


class FakeConsumer:
    """One partition with its end and its position, or none."""

    def __init__(self, end: int, position: int, *, partitions: Sequence[str] = ("one",)) -> None:
        self._end, self._position, self._partitions = end, position, partitions
        self._fetcher, self._coordinator, self._closed = (
            ConsumerInternals(),
            ConsumerInternals(),
            False,
        )
        self._subscription = self._client = ConsumerInternals()
        self.error: BaseException | None = None
        self.error_lasted = 0.0
        self.waits_for = ""

    def outage(self, _at_least_seconds: float) -> str:
        return self.waits_for

    def reset_errors(self) -> None:
        self.error = None

    def lasting_error(self, at_least_seconds: float) -> BaseException | None:
        return self.error if self.error_lasted >= at_least_seconds else None

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
    monkeypatch.setattr(module, "STALLED_CONSUMER_SECONDS", 0.05)


async def _yes() -> bool:
    return True


async def _no() -> bool:
    return False


class Replacements:
    """Which consumers were replaced, and what a replacement raises."""

    def __init__(self, error: Exception | None = None) -> None:
        self.count = 0
        self._error = error

    async def __call__(self) -> None:
        self.count += 1
        if self._error is not None:
            raise self._error


async def _is_replaced(
    *consumers: FakeConsumer | None,
    answers: Callable[[], Awaitable[bool]] = _yes,
    heartbeat: ConsumerHeartbeat | None = None,
    states: ConnectionStates | None = None,
    error: Exception | None = None,
) -> bool:
    """Whether the last of these is replaced, and no other."""
    replacements = [Replacements(error) for _ in consumers]
    supervised = [
        SupervisedConsumer(f"g{n}", consumer, heartbeat or ConsumerHeartbeat(), replacements[n])
        for n, consumer in enumerate(consumers)
    ]
    supervisor = ConsumerSupervisor(
        lambda: supervised, answers, states or ConnectionStates(), "User:probe"
    )
    task = asyncio.create_task(supervisor.run())
    try:
        await eventually(lambda: bool(replacements[-1].count) or task.done(), timeout=0.3)
        if task.done():
            await task
    except AssertionError as failure:
        if "assigned" in str(failure):
            raise
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert not any(each.count for each in replacements[:-1])
    return replacements[-1].count > 0


def _out_of_group(**coordinator: object) -> FakeConsumer:
    consumer = FakeConsumer(end=0, position=0, partitions=())
    for name, value in coordinator.items():
        setattr(consumer._coordinator, name, value)
    return consumer


async def test_a_consumer_that_leaves_records_waiting_is_replaced() -> None:
    assert await _is_replaced(FakeConsumer(end=5, position=3))


async def test_an_idle_consumer_is_left_alone() -> None:
    assert not await _is_replaced(FakeConsumer(end=5, position=5))


async def test_a_consumer_whose_fetches_have_died_is_replaced() -> None:
    consumer = FakeConsumer(end=5, position=5)
    consumer._fetcher._fetch_task.set_exception(RuntimeError("the handler is closed"))
    assert await _is_replaced(consumer)
    assert consumer._fetcher._fetch_task.exception()


async def test_an_error_that_a_consumer_meets_again_and_again_costs_the_consumer() -> None:
    consumer, states = FakeConsumer(end=5, position=5), ConnectionStates()
    consumer.error, consumer.error_lasted = GroupAuthorizationFailedError("g0"), 60.0
    assert await _is_replaced(consumer, states=states)
    assert "does not let User:probe Read on group g0" in states.summary()


async def test_a_passing_error_is_reported_and_the_consumer_kept() -> None:
    consumer, states = FakeConsumer(end=5, position=5), ConnectionStates()
    consumer.error = TopicAuthorizationFailedError("feedback")
    assert not await _is_replaced(consumer, states=states)
    assert "Read on topic feedback" in states.summary()


async def test_an_outage_is_reported_and_the_consumer_kept_however_long_it_lasts() -> None:
    consumer, states = FakeConsumer(end=5, position=3), ConnectionStates()
    consumer.waits_for = "no coordinator of its group answers"
    heartbeat = ConsumerHeartbeat()
    assert not await _is_replaced(consumer, states=states, heartbeat=heartbeat)
    assert "no coordinator" in states.summary()
    assert time.monotonic() - heartbeat.at < module.STALLED_CONSUMER_SECONDS


async def test_a_topic_that_the_broker_hides_is_reported_with_the_right_that_is_missing() -> None:
    consumer, states = FakeConsumer(end=5, position=5), ConnectionStates()
    consumer._client.unauthorized_topics = {"feedback"}
    assert not await _is_replaced(consumer, states=states)
    assert "--operation Read --topic feedback" in states.summary()
    assert consumer._client.metadata_updates > 0  # or its return were seen 10 s later


async def test_a_consumer_is_kept_while_the_broker_hides_a_topic_that_it_reads() -> None:
    """Replaced when the right comes back, it would be away for the join of its group."""
    consumer = FakeConsumer(end=5, position=5)
    consumer._client.unauthorized_topics = {"feedback"}
    consumer.error = TopicAuthorizationFailedError("feedback")
    consumer.error_lasted = 60.0
    assert not await _is_replaced(consumer)
    consumer._client.unauthorized_topics.clear()
    assert not await _is_replaced(consumer)


async def test_a_replacement_that_fails_is_reported_and_the_supervisor_goes_on() -> None:
    states = ConnectionStates()
    assert await _is_replaced(None, states=states, error=KafkaConnectionError("away"))
    assert "KafkaConnectionError" in states.summary()


async def test_a_consumer_that_is_being_closed_is_no_dead_one() -> None:
    consumer = FakeConsumer(end=5, position=5)
    consumer._fetcher._fetch_task.set_result(None)
    consumer._closed = True
    assert not await _is_replaced(consumer)


async def test_a_stalled_consumer_is_seen_beside_a_busy_one() -> None:
    assert await _is_replaced(Moving(end=9, position=1), FakeConsumer(5, 3))


async def test_records_that_are_passed_over_are_progress() -> None:
    assert not await _is_replaced(Moving(end=9, position=1))


@pytest.mark.parametrize("at_end", [True, False])
async def test_a_partition_that_is_revoked_during_a_look_replaces_nothing(at_end: bool) -> None:
    assert not await _is_replaced(Revoked(at_end=at_end))


async def test_an_idle_member_of_a_group_is_left_alone() -> None:
    assert not await _is_replaced(_out_of_group())


@pytest.mark.parametrize("lack", [{"coordinator_id": None}, {"generation": -1}])
async def test_a_consumer_in_no_group_is_replaced(lack: dict[str, object]) -> None:
    assert await _is_replaced(_out_of_group(**lack))


async def test_a_consumer_that_never_comes_back_from_a_rejoin_is_replaced() -> None:
    consumer = FakeConsumer(end=5, position=5)
    consumer._subscription.reassignment_in_progress = True
    assert await _is_replaced(consumer)


async def test_a_consumer_waits_with_kafka_for_as_long_as_that_is_away() -> None:
    assert not await _is_replaced(_out_of_group(coordinator_id=None), answers=_no)


async def test_a_handler_within_its_own_time_is_progress() -> None:
    heartbeat = ConsumerHeartbeat()
    with heartbeat.handler_running(300):
        assert not await _is_replaced(FakeConsumer(end=5, position=3), heartbeat=heartbeat)
    assert await _is_replaced(FakeConsumer(end=5, position=3), heartbeat=heartbeat)
