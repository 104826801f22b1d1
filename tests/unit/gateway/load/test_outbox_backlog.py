"""When too much waits in the outbox, and for how long it is said to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.load.outbox_backlog import (
    OutboxBacklog,
    OutboxLimits,
    estimate_drain_seconds,
)

LIMITS = OutboxLimits(age_seconds=60, backlog=100)
WAITING = st.builds(OutboxBacklog, st.floats(0, 1e6), st.integers(0, 1_000_000))


@pytest.mark.parametrize(
    ("waiting", "broken"),
    [
        (OutboxBacklog(0, 0), None),
        (OutboxBacklog(59.9, 99), None),
        (OutboxBacklog(60, 1), "outbox_age_seconds"),
        (OutboxBacklog(1, 100), "outbox_backlog"),
        (OutboxBacklog(600, 1000), "outbox_age_seconds"),
    ],
)
def test_age_and_backlog_each_exceed_their_limit(
    waiting: OutboxBacklog, broken: str | None
) -> None:
    found = LIMITS.find_exceeded(waiting)

    assert (found[0] if found else None) == broken


@given(WAITING)
def test_a_limit_of_zero_is_never_reached(waiting: OutboxBacklog) -> None:
    assert OutboxLimits(age_seconds=0, backlog=0).find_exceeded(waiting) is None


@given(st.none() | WAITING, WAITING, st.floats(0, 3600), st.integers(0, 10_000))
def test_the_wait_is_never_longer_than_a_minute(
    before: OutboxBacklog | None, now: OutboxBacklog, between: float, keep: int
) -> None:
    assert 0 <= estimate_drain_seconds(before, now, between=between, keep=keep) <= 60


def test_the_wait_for_a_shrinking_backlog_follows_its_rate() -> None:
    before, now = OutboxBacklog(30, 500), OutboxBacklog(31, 450)

    assert (
        estimate_drain_seconds(before, now, between=1, keep=100) == 7
    )  # 350 too many, 50 a second


def test_the_wait_for_a_constant_backlog_is_the_age_of_its_oldest_row() -> None:
    stands = OutboxBacklog(20, 500)

    assert estimate_drain_seconds(None, stands, between=0, keep=100) == 20
    assert estimate_drain_seconds(OutboxBacklog(19, 400), stands, between=1, keep=100) == 20
