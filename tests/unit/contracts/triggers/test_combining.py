"""Conditions of a policy: any, all, within a daily limit."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.events import TriggerReason
from archon_contracts.triggers import StreamState, TriggerView, decide, next_check_at, spend
from archon_contracts.values import CronSchedule, TriggerCombination, TriggerPolicy
from tests.support.messaging.messages import NOON

CRON = CronSchedule(cron="0 3 * * *")


def policy(**fields: Any) -> TriggerPolicy:
    return TriggerPolicy(**({"minimum_feedback": 100} | fields))


def view(**fields: Any) -> TriggerView:
    return TriggerView(**({"unused": 10, "oldest_unused_at": NOON} | fields))


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def reason(found: TriggerView, asked: TriggerPolicy, now: datetime = NOON) -> TriggerReason | None:
    firing = decide(found, asked, now)
    return firing.reason if firing else None


def test_a_schedule_fires_at_its_time_and_not_before() -> None:
    asked, due = policy(schedule=CRON), view(scheduled_at=later(60))

    assert reason(due, asked, later(59)) is None
    assert next_check_at(due, asked, later(59)) == later(60)
    assert reason(due, asked, later(60)) is TriggerReason.SCHEDULE


def test_risen_errors_fire_drift() -> None:
    state = StreamState(
        answers=500, evidence=13.0, suspects={"a": 9, "b": 8}, raters={"a": 250, "b": 250}
    )

    assert reason(view(stream=state), policy(error_rise=0.1)) is TriggerReason.DRIFT
    assert reason(view(stream=state), policy()) is None


def test_regret_fires_when_it_is_worth_a_training() -> None:
    asked = policy(wrong_answer_seconds=2.0)

    assert reason(view(stream=StreamState(excess=29.0), training_seconds=60.0), asked) is None
    fired = decide(view(stream=StreamState(excess=30.0), training_seconds=60.0), asked, NOON)
    assert fired is not None
    assert "30 wrong answers" in fired.explanation


def test_a_condition_that_is_due_and_waits_for_another_is_not_looked_at_again() -> None:
    """Else the sweeper would find the same agent due for ever."""
    asked = policy(combine=TriggerCombination.ALL, maximum_age_seconds=60, schedule=CRON)
    due = view(scheduled_at=later(60), last_window_at=NOON)

    for seconds in (0, 59, 60, 61, 3_600):
        moment = next_check_at(due, asked, later(seconds))
        assert moment is None or moment > later(seconds)
    assert next_check_at(due, asked, later(3_600)) is None


def test_all_conditions_must_hold_where_the_policy_says_so() -> None:
    asked = policy(maximum_age_seconds=300, combine=TriggerCombination.ALL)

    assert reason(view(unused=100), asked) is None
    assert reason(view(unused=10), asked, later(301)) is None
    assert reason(view(unused=100), asked, later(301)) is TriggerReason.COUNT


def test_the_daily_limit_is_used_and_comes_back() -> None:
    asked, full = policy(maximum_per_day=2), view(unused=100)
    state = StreamState()
    for _ in range(2):
        assert reason(view(unused=100, stream=state), asked) is TriggerReason.COUNT
        state = spend(state, asked, NOON)

    spent = view(unused=100, stream=state)
    assert reason(spent, asked) is None
    assert next_check_at(spent, asked, NOON) == later(43_200)
    assert reason(spent, asked, later(43_200)) is TriggerReason.COUNT
    assert reason(full, asked) is TriggerReason.COUNT


def test_a_clock_that_jumps_back_refills_nothing() -> None:
    asked = policy(maximum_per_day=1)
    state = spend(StreamState(), asked, NOON)

    back = later(-86_400 * 30)

    assert reason(view(unused=100, stream=state), asked, back) is None
    assert spend(state, asked, back).tokens_at == state.tokens_at


policies = st.builds(
    TriggerPolicy,
    minimum_feedback=st.integers(1, 300),
    rating_drop=st.none() | st.floats(0.1, 4),
    maximum_age_seconds=st.none() | st.floats(1, 10_000),
    error_rise=st.none() | st.floats(0.01, 0.9),
    wrong_answer_seconds=st.none() | st.floats(0.1, 100),
    schedule=st.none() | st.just(CRON),
    combine=st.sampled_from(TriggerCombination),
    maximum_per_day=st.none() | st.integers(1, 10),
)
states = st.builds(
    StreamState,
    excess=st.floats(-50, 500),
    evidence=st.floats(0, 30),
    tokens=st.none() | st.floats(0, 10),
    tokens_at=st.integers(-10_000, 10_000).map(lambda s: later(s).timestamp()),
)
views = st.builds(
    TriggerView,
    unused=st.integers(0, 400),
    oldest_unused_at=st.integers(0, 10_000).map(later),
    scheduled_at=st.none() | st.integers(0, 90_000).map(later),
    stream=states,
)


@given(views, policies, st.integers(0, 10_000).map(later))
def test_time_alone_brings_a_decision_only_when_it_says_so(
    found: TriggerView, asked: TriggerPolicy, now: datetime
) -> None:
    check_at = next_check_at(found, asked, now)

    if decide(found, asked, now) is None and check_at is None:
        for seconds in (1, 3_600, 86_400, 8_640_000):
            assert decide(found, asked, now + timedelta(seconds=seconds)) is None
    if decide(found, asked, now) is None and check_at is not None and check_at > now:
        before = now + (check_at - now) * 0.99
        assert decide(found, asked, before) is None
