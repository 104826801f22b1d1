"""What a trigger would have done with the feedback of the last weeks."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.values import TriggerPolicy
from services.gateway.dashboard.backtest import HourOfFeedback, backtest

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def hours(*counts: int) -> list[HourOfFeedback]:
    return [HourOfFeedback(NOON + timedelta(hours=n), count) for n, count in enumerate(counts)]


def test_it_fires_when_enough_is_unused_and_begins_to_count_again() -> None:
    found = backtest(hours(60, 60, 10, 90), TriggerPolicy(minimum_feedback=100))

    assert found.fired == (NOON + timedelta(hours=2), NOON + timedelta(hours=4))
    assert (found.unused, found.events) == (0, 220)


def test_what_does_not_fit_into_a_window_stays_for_the_next_one() -> None:
    policy = TriggerPolicy(minimum_feedback=100, maximum_feedback=100)

    assert backtest(hours(250, 0, 0), policy).unused == 50


def test_the_cooldown_lets_it_fire_later() -> None:
    policy = TriggerPolicy(minimum_feedback=10, cooldown_seconds=7200)

    assert len(backtest(hours(10, 10, 10, 10), policy).fired) == 2


def test_old_feedback_fires_it_though_it_is_little() -> None:
    policy = TriggerPolicy(minimum_feedback=100, maximum_age_seconds=10_800)

    assert backtest(hours(1, 0, 0, 0), policy).fired == (NOON + timedelta(hours=3),)


@given(st.lists(st.integers(0, 500), max_size=60), st.integers(1, 300))
def test_no_event_is_used_twice(counts: list[int], minimum: int) -> None:
    policy = TriggerPolicy(minimum_feedback=minimum, maximum_feedback=300, cooldown_seconds=0)

    found = backtest(hours(*counts), policy)

    used = found.events - found.unused
    assert minimum * len(found.fired) <= used <= 300 * len(found.fired)


def test_a_trigger_that_is_off_never_fires() -> None:
    assert backtest(hours(1000), TriggerPolicy(enabled=False)).fired == ()


def test_all_conditions_must_hold_where_the_policy_says_so() -> None:
    policy = TriggerPolicy(minimum_feedback=10, maximum_age_seconds=10_800, combine="all")

    assert backtest(hours(10, 0, 0, 0), policy).fired == (NOON + timedelta(hours=3),)


def test_the_limit_of_a_day_lets_it_fire_on_the_next_one() -> None:
    policy = TriggerPolicy(minimum_feedback=10, maximum_per_day=2)

    assert len(backtest(hours(*[10] * 30), policy).fired) == 4
