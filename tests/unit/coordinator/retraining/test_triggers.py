"""When feedback is worth a retrain."""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.events import TriggerReason
from archon_contracts.triggers.rating_drop import MINIMUM_RATINGS
from archon_contracts.values import TriggerPolicy
from services.coordinator.feedback.stats import FeedbackStats
from services.coordinator.retraining.triggers import (
    TriggerDecision,
    backoff_seconds,
    decide,
)
from tests.support.messaging.messages import NOON

POLICY = TriggerPolicy(minimum_feedback=100, cooldown_seconds=60)
EMPTY = FeedbackStats(tenant_id="default", agent_id="picker")


def stats(**fields: object) -> FeedbackStats:
    """Ten unused feedback, the oldest of now, if nothing else is said."""
    values: dict[str, object] = {"unused": 10, "oldest_unused_at": NOON}
    return replace(EMPTY, **(values | fields))  # type: ignore[arg-type]  # the test names fields


def later(seconds: float) -> datetime:
    """So long after noon."""
    return NOON + timedelta(seconds=seconds)


def test_the_count_fires_when_it_is_reached() -> None:
    assert decide(stats(unused=99), POLICY, NOON) == TriggerDecision()
    assert decide(stats(unused=100), POLICY, NOON) == TriggerDecision(TriggerReason.COUNT)


def test_a_maximum_below_the_minimum_fires_when_a_window_is_full() -> None:
    policy = POLICY.model_copy(update={"maximum_feedback": 50})

    assert decide(stats(unused=50), policy, NOON) == TriggerDecision(TriggerReason.COUNT)


def test_a_busy_agent_waits_for_the_end_of_its_job() -> None:
    assert decide(stats(unused=1_000, busy=True), POLICY, NOON) == TriggerDecision()


def test_a_disabled_policy_never_fires() -> None:
    policy = POLICY.model_copy(update={"enabled": False})

    assert decide(stats(unused=1_000), policy, NOON) == TriggerDecision()


def test_the_cooldown_puts_a_due_retrain_off() -> None:
    resting = stats(unused=100, last_window_at=NOON)

    assert decide(resting, POLICY, later(59)) == TriggerDecision(check_at=later(60))
    assert decide(resting, POLICY, later(60)) == TriggerDecision(TriggerReason.COUNT)


def test_age_fires_when_the_oldest_item_is_old_enough() -> None:
    policy = POLICY.model_copy(update={"maximum_age_seconds": 300})

    assert decide(stats(), policy, later(299)) == TriggerDecision(check_at=later(300))
    assert decide(stats(), policy, later(300)) == TriggerDecision(TriggerReason.AGE)


def test_a_fall_of_the_mean_rating_fires_with_enough_ratings() -> None:
    policy = POLICY.model_copy(update={"rating_drop": 1.0})
    reference = {"previous_rated": 50, "previous_rating_sum": 50 * 4.5}
    few, enough = MINIMUM_RATINGS - 1, MINIMUM_RATINGS

    assert (
        decide(stats(rated=few, rating_sum=few * 3.0, **reference), policy, NOON)
        == TriggerDecision()
    )
    fallen = stats(rated=enough, rating_sum=enough * 3.5, **reference)
    assert decide(fallen, policy, NOON) == TriggerDecision(TriggerReason.RATING_DROP)
    steady = stats(rated=enough, rating_sum=enough * 3.6, **reference)
    assert decide(steady, policy, NOON) == TriggerDecision()


def test_ratings_without_a_reference_never_fall() -> None:
    policy = POLICY.model_copy(update={"rating_drop": 0.5})

    assert decide(stats(rated=80, rating_sum=80.0), policy, NOON) == TriggerDecision()


moments = st.integers(0, 10_000).map(later)
all_stats = st.builds(
    stats,
    unused=st.integers(0, 300),
    rated=st.integers(0, 300),
    rating_sum=st.floats(0, 1_500),
    oldest_unused_at=moments,
    previous_rated=st.integers(0, 300),
    previous_rating_sum=st.floats(0, 1_500),
    last_window_at=st.none() | moments,
    unsuccessful_runs=st.integers(0, 200),
    last_unsuccessful_at=st.none() | moments,
    busy=st.booleans(),
)
policies = st.builds(
    TriggerPolicy,
    minimum_feedback=st.integers(1, 300),
    maximum_feedback=st.integers(1, 300),
    rating_drop=st.none() | st.floats(0.1, 4),
    maximum_age_seconds=st.none() | st.floats(1, 10_000),
    cooldown_seconds=st.floats(0, 10_000),
    backoff_seconds=st.floats(0, 1_000),
    maximum_backoff_seconds=st.floats(0, 100_000),
    enabled=st.booleans(),
)


@given(all_stats, policies, moments)
def test_a_retrain_never_begins_busy_empty_disabled_or_within_the_cooldown(
    counted: FeedbackStats, policy: TriggerPolicy, now: datetime
) -> None:
    decision = decide(counted, policy, now)

    if decision.reason is not None:
        assert policy.enabled
        assert not counted.busy
        assert counted.unused > 0
        rest = timedelta(seconds=policy.cooldown_seconds)
        assert counted.last_window_at is None or counted.last_window_at + rest <= now
        vain = timedelta(seconds=backoff_seconds(counted.unsuccessful_runs, policy))
        assert counted.last_unsuccessful_at is None or counted.last_unsuccessful_at + vain <= now


@given(all_stats, policies, moments)
def test_a_time_to_look_again_lies_ahead_and_then_something_fires(
    counted: FeedbackStats, policy: TriggerPolicy, now: datetime
) -> None:
    decision = decide(counted, policy, now)

    if decision.check_at is not None:
        assert decision.reason is None
        assert decision.check_at > now
        assert decide(counted, policy, decision.check_at).reason is not None


def test_each_unsuccessful_run_doubles_the_backoff() -> None:
    policy = POLICY.model_copy(update={"maximum_backoff_seconds": 300.0})
    due = {"unused": 100, "last_unsuccessful_at": NOON}

    for unsuccessful_runs, rest in ((1, 60), (2, 120), (3, 240), (4, 300), (1_000, 300)):
        refused = stats(unsuccessful_runs=unsuccessful_runs, **due)
        assert decide(refused, policy, later(rest - 1)) == TriggerDecision(check_at=later(rest))
        assert decide(refused, policy, later(rest)) == TriggerDecision(TriggerReason.COUNT)


@given(st.integers(0, 10_000), policies)
def test_the_backoff_grows_with_unsuccessful_runs_up_to_its_maximum(
    unsuccessful_runs: int, policy: TriggerPolicy
) -> None:
    rest, longer = (backoff_seconds(n, policy) for n in (unsuccessful_runs, unsuccessful_runs + 1))

    assert 0 <= rest <= longer <= policy.maximum_backoff_seconds
