"""Shedding: what is refused while too much waits, and taken again when it does not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.gateway.errors import Overloaded
from services.gateway.load.load_shedding import Budget, OutboxWatch, Pressure
from services.gateway.load.outbox_pressure import OutboxLimits, Waiting
from shared.errors import DatabaseUnavailable

LIMITS = OutboxLimits(age_seconds=10, backlog=100)


class Seconds:
    """A monotonic clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Outbox:
    """A database and its store: what waits, or nothing at all."""

    def __init__(self) -> None:
        self.waiting: Waiting | None = Waiting(0, 0)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[None]:
        if self.waiting is None:
            raise DatabaseUnavailable("gone")
        yield

    async def outbox_waiting(self, _tx: object, *, most: int) -> Waiting:
        assert self.waiting is not None
        return Waiting(self.waiting.age_seconds, min(self.waiting.backlog, most))


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def watch(outbox: Outbox, clock: Seconds) -> OutboxWatch:
    return OutboxWatch(outbox, outbox, LIMITS, clock)


async def test_commands_are_refused_while_too_many_wait_and_taken_again_after(
    watch: OutboxWatch, outbox: Outbox
) -> None:
    outbox.waiting = Waiting(3, 150)
    await watch.look()
    with pytest.raises(Overloaded, match="150 commands wait") as refused:
        watch.require_room()
    outbox.waiting = Waiting(1, 20)

    await watch.look()

    watch.require_room()
    assert (refused.value.limit, refused.value.retry_after_seconds) == ("outbox_backlog", 3)


async def test_the_wait_follows_the_pace_at_which_the_backlog_shrinks(
    watch: OutboxWatch, outbox: Outbox, clock: Seconds
) -> None:
    outbox.waiting = Waiting(9, 190)
    await watch.look()
    clock.now += 2
    outbox.waiting = Waiting(9, 170)

    await watch.look()

    assert watch.overload is not None
    assert watch.overload.retry_after_seconds == 7  # 70 too many, 10 a second


async def test_a_database_that_is_away_sheds_nothing_by_itself(
    watch: OutboxWatch, outbox: Outbox
) -> None:
    outbox.waiting = Waiting(60, 1)
    await watch.look()
    outbox.waiting = None

    with pytest.raises(DatabaseUnavailable):
        await watch.look()

    watch.require_room()


def test_what_is_in_flight_has_a_bound() -> None:
    budget = Budget("inflight_events", 10, "events")

    with budget.hold(6, "acme"):
        with (
            pytest.raises(Overloaded, match="6 events are not acknowledged yet"),
            budget.hold(5, "acme"),
        ):
            pass
        with budget.hold(4, "acme"), pytest.raises(Overloaded):
            budget.require_room("acme")
        budget.require_room("acme")

    assert budget.held == 0


def test_what_is_larger_than_the_budget_is_taken_alone() -> None:
    budget = Budget("inflight_events", 10, "events")

    with budget.hold(50, "acme"):
        assert budget.held == 50
        with pytest.raises(Overloaded), budget.hold(1, "acme"):
            pass


def test_the_wait_for_acknowledgements_is_as_long_as_the_oldest_has_taken(clock: Seconds) -> None:
    budget = Budget("inflight_events", 10, "events", clock)
    with budget.hold(8, "acme"):
        clock.now += 2.5
        with budget.hold(2, "acme"):
            clock.now += 1

            assert budget.overload is not None
            assert budget.overload.retry_after_seconds == 4


def test_a_budget_of_zero_is_no_limit() -> None:
    budget = Budget("inflight_events", 0, "events")

    with budget.hold(10**9, "acme"), budget.hold(10**9, "acme"):
        budget.require_room("acme")


async def test_the_status_tells_what_is_refused_and_for_how_long(
    watch: OutboxWatch, outbox: Outbox
) -> None:
    pressure = Pressure(watch, Budget("inflight_events", 5, "events"), Budget("b", 0, "bytes"))
    quiet = pressure.shedding()
    outbox.waiting = Waiting(12, 1)
    await watch.look()

    with pressure.events.hold(5, "acme"):
        told = pressure.shedding()

    assert quiet == []
    assert [(each["refused"], each["limit"]) for each in told] == [
        ("commands", "outbox_age_seconds"),
        ("feedback", "inflight_events"),
    ]
    assert told[0]["retry_after_seconds"] == 12


def test_one_tenant_leaves_room_for_the_others() -> None:
    budget = Budget("inflight_events", 10, "events", share=0.5)

    with budget.hold(4, "acme"):
        with pytest.raises(Overloaded), budget.hold(2, "acme"):
            pass
        with budget.hold(5, "globex"), pytest.raises(Overloaded):
            budget.require_room("acme", 2)
        budget.require_room("acme")


def test_what_grows_is_refused_when_there_is_no_more_room_and_given_back_as_a_whole() -> None:
    budget = Budget("inflight_bytes", 10, "bytes")

    with budget.hold(0, "acme") as first, budget.hold(0, "globex") as second:
        first.add(6)
        second.add(4)
        with pytest.raises(Overloaded, match="10 bytes"):
            first.add(1)

    assert budget.held == 0


def test_what_is_only_announced_takes_no_room() -> None:
    budget = Budget("inflight_bytes", 10, "bytes")

    with budget.hold(0, "acme"), budget.hold(10, "globex") as whole:
        assert whole.amount == budget.held == 10
