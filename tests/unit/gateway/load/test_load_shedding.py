"""Shedding: what is refused while too much waits, and taken again when it does not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.gateway.errors import Overloaded
from services.gateway.load.load_shedding import Backpressure, InFlightLimit, OutboxMonitor
from services.gateway.load.outbox_backlog import OutboxBacklog, OutboxLimits
from shared.errors import DatabaseUnavailable
from tests.support.clocks import ManualMonotonic

LIMITS = OutboxLimits(age_seconds=10, backlog=100)


class OutboxStub:
    """A database and its store: what waits, or nothing at all."""

    def __init__(self) -> None:
        self.waiting: OutboxBacklog | None = OutboxBacklog(0, 0)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[None]:
        if self.waiting is None:
            raise DatabaseUnavailable("gone")
        yield

    async def measure(self, _tx: object, *, limit: int) -> OutboxBacklog:
        assert self.waiting is not None
        return OutboxBacklog(self.waiting.age_seconds, min(self.waiting.backlog, limit))


@pytest.fixture
def clock() -> ManualMonotonic:
    return ManualMonotonic(1000.0)


@pytest.fixture
def outbox() -> OutboxStub:
    return OutboxStub()


@pytest.fixture
def watch(outbox: OutboxStub, clock: ManualMonotonic) -> OutboxMonitor:
    return OutboxMonitor(outbox, outbox, LIMITS, clock)


async def test_commands_are_refused_while_the_backlog_is_over_its_limit(
    watch: OutboxMonitor, outbox: OutboxStub
) -> None:
    outbox.waiting = OutboxBacklog(3, 150)
    await watch.poll()
    with pytest.raises(Overloaded, match="150 commands wait") as refused:
        watch.require_room()
    outbox.waiting = OutboxBacklog(1, 20)

    await watch.poll()

    watch.require_room()
    assert (refused.value.limit, refused.value.retry_after_seconds) == ("outbox_backlog", 3)


async def test_the_wait_follows_the_pace_at_which_the_backlog_shrinks(
    watch: OutboxMonitor, outbox: OutboxStub, clock: ManualMonotonic
) -> None:
    outbox.waiting = OutboxBacklog(9, 190)
    await watch.poll()
    clock.now += 2
    outbox.waiting = OutboxBacklog(9, 170)

    await watch.poll()

    assert watch.overload is not None
    assert watch.overload.retry_after_seconds == 7  # 70 too many, 10 a second


async def test_a_database_outage_sheds_nothing(watch: OutboxMonitor, outbox: OutboxStub) -> None:
    outbox.waiting = OutboxBacklog(60, 1)
    await watch.poll()
    outbox.waiting = None

    with pytest.raises(DatabaseUnavailable):
        await watch.poll()

    watch.require_room()


def test_the_amount_in_flight_is_limited() -> None:
    in_flight = InFlightLimit("inflight_events", 10, "events")

    with in_flight.reserve(6, "acme"):
        with (
            pytest.raises(Overloaded, match="6 events are not acknowledged yet"),
            in_flight.reserve(5, "acme"),
        ):
            pass
        with in_flight.reserve(4, "acme"), pytest.raises(Overloaded):
            in_flight.require_room("acme")
        in_flight.require_room("acme")

    assert in_flight.reserved == 0


def test_a_request_larger_than_the_limit_is_accepted_alone() -> None:
    in_flight = InFlightLimit("inflight_events", 10, "events")

    with in_flight.reserve(50, "acme"):
        assert in_flight.reserved == 50
        with pytest.raises(Overloaded), in_flight.reserve(1, "acme"):
            pass


def test_the_wait_for_acknowledgements_is_as_long_as_the_oldest_has_taken(
    clock: ManualMonotonic,
) -> None:
    in_flight = InFlightLimit("inflight_events", 10, "events", clock)
    with in_flight.reserve(8, "acme"):
        clock.now += 2.5
        with in_flight.reserve(2, "acme"):
            clock.now += 1

            assert in_flight.overload is not None
            assert in_flight.overload.retry_after_seconds == 4


def test_an_in_flight_limit_of_zero_is_no_limit() -> None:
    in_flight = InFlightLimit("inflight_events", 0, "events")

    with in_flight.reserve(10**9, "acme"), in_flight.reserve(10**9, "acme"):
        in_flight.require_room("acme")


async def test_the_status_lists_what_is_shed_and_for_how_long(
    watch: OutboxMonitor, outbox: OutboxStub
) -> None:
    backpressure = Backpressure(
        watch,
        InFlightLimit("inflight_events", 5, "events"),
        InFlightLimit("b", 0, "bytes"),
        InFlightLimit("r", 0, "requests"),
    )
    quiet = backpressure.describe_shedding()
    outbox.waiting = OutboxBacklog(12, 1)
    await watch.poll()

    with backpressure.events.reserve(5, "acme"):
        reported = backpressure.describe_shedding()

    assert quiet == []
    assert [(each["refused"], each["limit"]) for each in reported] == [
        ("commands", "outbox_age_seconds"),
        ("feedback", "inflight_events"),
    ]
    assert reported[0]["retry_after_seconds"] == 12


def test_one_tenant_leaves_room_for_the_others() -> None:
    in_flight = InFlightLimit("inflight_events", 10, "events", tenant_fraction=0.5)

    with in_flight.reserve(4, "acme"):
        with pytest.raises(Overloaded), in_flight.reserve(2, "acme"):
            pass
        with in_flight.reserve(5, "globex"), pytest.raises(Overloaded):
            in_flight.require_room("acme", 2)
        in_flight.require_room("acme")


def test_a_growing_reservation_is_refused_at_the_limit_and_released_as_a_whole() -> None:
    in_flight = InFlightLimit("inflight_bytes", 10, "bytes")

    with in_flight.reserve(0, "acme") as first, in_flight.reserve(0, "globex") as second:
        first.add(6)
        second.add(4)
        with pytest.raises(Overloaded, match="10 bytes"):
            first.add(1)

    assert in_flight.reserved == 0


def test_a_declared_length_reserves_nothing() -> None:
    in_flight = InFlightLimit("inflight_bytes", 10, "bytes")

    with in_flight.reserve(0, "acme"), in_flight.reserve(10, "globex") as whole:
        assert whole.amount == in_flight.reserved == 10
