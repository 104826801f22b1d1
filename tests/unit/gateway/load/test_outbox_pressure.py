"""When too much waits in the outbox, and for how long it is said to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.load.outbox_pressure import OutboxLimits, Waiting, drain_seconds

LIMITS = OutboxLimits(age_seconds=60, backlog=100)
WAITING = st.builds(Waiting, st.floats(0, 1e6), st.integers(0, 1_000_000))


@pytest.mark.parametrize(
    ("waiting", "broken"),
    [
        (Waiting(0, 0), None),
        (Waiting(59.9, 99), None),
        (Waiting(60, 1), "outbox_age_seconds"),
        (Waiting(1, 100), "outbox_backlog"),
        (Waiting(600, 1000), "outbox_age_seconds"),
    ],
)
def test_too_old_or_too_many_is_too_much(waiting: Waiting, broken: str | None) -> None:
    found = LIMITS.broken_by(waiting)

    assert (found[0] if found else None) == broken


@given(WAITING)
def test_a_limit_of_zero_is_never_reached(waiting: Waiting) -> None:
    assert OutboxLimits(age_seconds=0, backlog=0).broken_by(waiting) is None


@given(st.none() | WAITING, WAITING, st.floats(0, 3600), st.integers(0, 10_000))
def test_the_wait_is_never_longer_than_a_minute(
    before: Waiting | None, now: Waiting, between: float, keep: int
) -> None:
    assert 0 <= drain_seconds(before, now, between=between, keep=keep) <= 60


def test_a_backlog_that_shrinks_is_waited_for_at_its_pace() -> None:
    before, now = Waiting(30, 500), Waiting(31, 450)

    assert drain_seconds(before, now, between=1, keep=100) == 7  # 350 too many, 50 a second


def test_a_backlog_that_stands_is_waited_for_as_long_as_its_oldest_has_waited() -> None:
    stands = Waiting(20, 500)

    assert drain_seconds(None, stands, between=0, keep=100) == 20
    assert drain_seconds(Waiting(19, 400), stands, between=1, keep=100) == 20
