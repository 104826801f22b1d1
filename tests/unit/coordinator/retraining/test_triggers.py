"""When feedback is worth a retrain."""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.events import TriggerReason
from archon_contracts.values import TriggerPolicy
from services.coordinator.retraining.triggers import (
    MINIMUM_RATINGS,
    Tally,
    Verdict,
    judge,
    refusal_rest_seconds,
)
from tests.support.messaging.messages import NOON

POLICY = TriggerPolicy(minimum_feedback=100, cooldown_seconds=60)
EMPTY = Tally(tenant_id="default", agent_id="picker")


def tally(**fields: object) -> Tally:
    """Ten unused judgements, the oldest of now, if nothing else is said."""
    values: dict[str, object] = {"unused": 10, "oldest_unused_at": NOON}
    return replace(EMPTY, **(values | fields))  # type: ignore[arg-type]  # the test names fields


def later(seconds: float) -> datetime:
    """So long after noon."""
    return NOON + timedelta(seconds=seconds)


def test_the_count_fires_when_it_is_reached() -> None:
    assert judge(tally(unused=99), POLICY, NOON) == Verdict()
    assert judge(tally(unused=100), POLICY, NOON) == Verdict(TriggerReason.COUNT)


def test_a_maximum_below_the_minimum_fires_when_a_window_is_full() -> None:
    policy = POLICY.model_copy(update={"maximum_feedback": 50})

    assert judge(tally(unused=50), policy, NOON) == Verdict(TriggerReason.COUNT)


def test_a_busy_agent_waits_for_the_end_of_its_job() -> None:
    assert judge(tally(unused=1_000, busy=True), POLICY, NOON) == Verdict()


def test_a_disabled_policy_never_fires() -> None:
    policy = POLICY.model_copy(update={"enabled": False})

    assert judge(tally(unused=1_000), policy, NOON) == Verdict()


def test_the_cooldown_puts_a_due_retrain_off() -> None:
    resting = tally(unused=100, last_window_at=NOON)

    assert judge(resting, POLICY, later(59)) == Verdict(check_at=later(60))
    assert judge(resting, POLICY, later(60)) == Verdict(TriggerReason.COUNT)


def test_age_fires_when_the_oldest_item_is_old_enough() -> None:
    policy = POLICY.model_copy(update={"maximum_age_seconds": 300})

    assert judge(tally(), policy, later(299)) == Verdict(check_at=later(300))
    assert judge(tally(), policy, later(300)) == Verdict(TriggerReason.AGE)


def test_a_fall_of_the_mean_rating_fires_with_enough_ratings() -> None:
    policy = POLICY.model_copy(update={"rating_drop": 1.0})
    reference = {"reference_rated": 50, "reference_rating_sum": 50 * 4.5}
    few, enough = MINIMUM_RATINGS - 1, MINIMUM_RATINGS

    assert judge(tally(rated=few, rating_sum=few * 3.0, **reference), policy, NOON) == Verdict()
    fallen = tally(rated=enough, rating_sum=enough * 3.5, **reference)
    assert judge(fallen, policy, NOON) == Verdict(TriggerReason.RATING_DROP)
    steady = tally(rated=enough, rating_sum=enough * 3.6, **reference)
    assert judge(steady, policy, NOON) == Verdict()


def test_ratings_without_a_reference_never_fall() -> None:
    policy = POLICY.model_copy(update={"rating_drop": 0.5})

    assert judge(tally(rated=80, rating_sum=80.0), policy, NOON) == Verdict()


moments = st.integers(0, 10_000).map(later)
tallies = st.builds(
    tally,
    unused=st.integers(0, 300),
    rated=st.integers(0, 300),
    rating_sum=st.floats(0, 1_500),
    oldest_unused_at=moments,
    reference_rated=st.integers(0, 300),
    reference_rating_sum=st.floats(0, 1_500),
    last_window_at=st.none() | moments,
    refusals=st.integers(0, 200),
    refused_at=st.none() | moments,
    busy=st.booleans(),
)
policies = st.builds(
    TriggerPolicy,
    minimum_feedback=st.integers(1, 300),
    maximum_feedback=st.integers(1, 300),
    rating_drop=st.none() | st.floats(0.1, 4),
    maximum_age_seconds=st.none() | st.floats(1, 10_000),
    cooldown_seconds=st.floats(0, 10_000),
    refusal_rest_seconds=st.floats(0, 1_000),
    maximum_rest_seconds=st.floats(0, 100_000),
    enabled=st.booleans(),
)


@given(tallies, policies, moments)
def test_a_retrain_never_begins_busy_empty_disabled_or_within_the_cooldown(
    counted: Tally, policy: TriggerPolicy, now: datetime
) -> None:
    verdict = judge(counted, policy, now)

    if verdict.reason is not None:
        assert policy.enabled
        assert not counted.busy
        assert counted.unused > 0
        rest = timedelta(seconds=policy.cooldown_seconds)
        assert counted.last_window_at is None or counted.last_window_at + rest <= now
        vain = timedelta(seconds=refusal_rest_seconds(counted.refusals, policy))
        assert counted.refused_at is None or counted.refused_at + vain <= now


@given(tallies, policies, moments)
def test_a_time_to_look_again_lies_ahead_and_then_something_fires(
    counted: Tally, policy: TriggerPolicy, now: datetime
) -> None:
    verdict = judge(counted, policy, now)

    if verdict.check_at is not None:
        assert verdict.reason is None
        assert verdict.check_at > now
        assert judge(counted, policy, verdict.check_at).reason is not None


def test_each_retrain_in_vain_doubles_the_rest_before_the_next_one() -> None:
    policy = POLICY.model_copy(update={"maximum_rest_seconds": 300.0})
    due = {"unused": 100, "refused_at": NOON}

    for refusals, rest in ((1, 60), (2, 120), (3, 240), (4, 300), (1_000, 300)):
        refused = tally(refusals=refusals, **due)
        assert judge(refused, policy, later(rest - 1)) == Verdict(check_at=later(rest))
        assert judge(refused, policy, later(rest)) == Verdict(TriggerReason.COUNT)


@given(st.integers(0, 10_000), policies)
def test_a_rest_grows_with_every_refusal_and_stays_within_its_bound(
    refusals: int, policy: TriggerPolicy
) -> None:
    rest, longer = (refusal_rest_seconds(n, policy) for n in (refusals, refusals + 1))

    assert 0 <= rest <= longer <= policy.maximum_rest_seconds
