"""Every number of a policy has a bound, is no boolean, and is read back within its bound."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from archon_contracts.rules.bounds import MAX_COUNT, MAX_SECONDS, SATURATE
from archon_contracts.values import (
    AgentProfile,
    GatePolicy,
    TrainingConfig,
    TriggerPolicy,
    TrustPolicy,
)
from services.coordinator.feedback.stats import FeedbackStats
from services.coordinator.retraining.triggers import decide

POLICIES: tuple[type[BaseModel], ...] = (TriggerPolicy, GatePolicy, TrustPolicy, TrainingConfig)
SWITCHES = {"enabled", "quarantine_outliers", "fine_tuning", "dora", "compare_starts"}
NUMBERS = [(p, name) for p in POLICIES for name in p.model_fields if name not in SWITCHES]
NUMBERS.append((AgentProfile, "priority"))
PROFILE = {"agent_id": "a", "kind": "generator", "base_model": "pypi:m"}


@pytest.mark.parametrize(("policy", "name"), NUMBERS)
@pytest.mark.parametrize("value", [10**12, 1e300, 2**63, 10**40, float("inf"), float("nan"), True])
def test_a_number_beyond_any_use_is_refused(
    policy: type[BaseModel], name: str, value: float
) -> None:
    with pytest.raises(ValidationError) as caught:
        policy(**PROFILE, **{name: value})

    assert any(error["loc"][0] == name for error in caught.value.errors())


def test_the_refusal_names_the_bound() -> None:
    with pytest.raises(ValidationError, match=r"must be at most 31,622,400 \(366 days\)"):
        TriggerPolicy(cooldown_seconds=1e12)


@given(st.floats(min_value=0, allow_infinity=False, allow_nan=False), st.integers(min_value=1))
def test_a_stored_number_above_its_bound_is_read_as_the_bound(seconds: float, count: int) -> None:
    stored = {"cooldown_seconds": seconds, "backoff_seconds": seconds, "minimum_feedback": count}

    read = TriggerPolicy.model_validate(stored, context=SATURATE)

    assert read.cooldown_seconds == min(seconds, MAX_SECONDS)
    assert read.minimum_feedback == min(count, MAX_COUNT)


SECONDS = st.floats(min_value=0, allow_infinity=False, allow_nan=False)
MOMENTS = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001  hypothesis takes naive ends
    max_value=datetime(9990, 1, 1),  # noqa: DTZ001  as above
    timezones=st.just(UTC),
)


@given(SECONDS, st.integers(min_value=0, max_value=2**31 - 1), MOMENTS, MOMENTS)
def test_no_policy_whatever_its_numbers_breaks_the_decision(
    seconds: float, runs: int, past: datetime, now: datetime
) -> None:
    policy = TriggerPolicy.model_construct(
        maximum_age_seconds=seconds or 1.0,
        cooldown_seconds=seconds,
        backoff_seconds=seconds,
        maximum_backoff_seconds=seconds,
    )
    stats = FeedbackStats(
        tenant_id="t",
        agent_id="a",
        unused=1,
        oldest_unused_at=past,
        last_window_at=past,
        unsuccessful_runs=runs,
        last_unsuccessful_at=past,
    )

    decide(stats, policy, now)
