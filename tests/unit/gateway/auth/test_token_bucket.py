"""Token buckets: what may be taken over a time, and how long a refusal says to wait."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.auth.token_bucket import MOST_BUCKETS, RateLimit, TokenBucket
from services.gateway.errors import RateLimited

RATES = st.floats(min_value=0.01, max_value=1e5)
CAPACITIES = st.floats(min_value=1, max_value=1e6)
STEPS = st.lists(st.tuples(st.floats(0, 100), st.integers(1, 20_000)), max_size=60)


def limit(rate: float = 1.0, capacity: float = 3.0) -> RateLimit:
    return RateLimit("requests_per_second", rate=rate, capacity=capacity, says="too many")


@given(RATES, CAPACITIES, STEPS)
def test_no_more_passes_than_the_bucket_and_its_rate_give(
    rate: float, capacity: float, steps: list[tuple[float, int]]
) -> None:
    bucket = TokenBucket(rate, capacity, capacity, 0.0)
    now, taken, largest = 0.0, 0.0, 0
    for pause, cost in steps:
        now += pause
        if not bucket.take(cost, now):
            taken, largest = taken + cost, max(largest, cost)

        assert taken <= capacity + rate * now + largest + 1e-6 * max(taken, 1)


@given(RATES, CAPACITIES, STEPS, st.integers(1, 20_000))
def test_who_waits_as_long_as_told_is_let_in(
    rate: float, capacity: float, steps: list[tuple[float, int]], cost: int
) -> None:
    bucket = TokenBucket(rate, capacity, capacity, 0.0)
    now = 0.0
    for pause, earlier in steps:
        now += pause
        bucket.take(earlier, now)

    now += bucket.wait(cost, now)

    # What is left of it is the rounding of the clock's own numbers.
    assert bucket.wait(cost, now) <= 1e-6 * max(now, 1)


@given(STEPS)
def test_a_refusal_takes_nothing(steps: list[tuple[float, int]]) -> None:
    bucket = TokenBucket(1.0, 5.0, 5.0, 0.0)
    now = 0.0
    for pause, cost in steps:
        now += pause
        bucket.wait(1, now)
        before = bucket.tokens

        if bucket.take(cost, now):
            assert bucket.tokens == before


def test_a_clock_that_steps_back_fills_nothing() -> None:
    bucket = TokenBucket(1.0, 2.0, 0.0, 100.0)

    assert bucket.wait(1, 50.0) == pytest.approx(1.0)
    assert bucket.wait(1, 100.5) == pytest.approx(0.5)


def test_a_refusal_names_the_limit_and_the_whole_seconds_to_wait() -> None:
    requests = limit(rate=0.4, capacity=1)
    requests.take("key", 1, now=0)

    with pytest.raises(RateLimited) as refused:
        requests.take("key", 1, now=0)

    assert (refused.value.limit, refused.value.retry_after_seconds) == ("requests_per_second", 3)
    assert str(refused.value) == (
        "too many: the limit requests_per_second is reached; send the same again in 3 s"
    )


def test_one_key_does_not_pay_for_another() -> None:
    requests = limit(capacity=1)
    requests.take("loud", 1, now=0)

    requests.take("quiet", 1, now=0)

    with pytest.raises(RateLimited):
        requests.require_room("loud", now=0)


def test_what_is_given_back_may_be_taken_again() -> None:
    requests = limit(capacity=1)
    requests.take("key", 1, now=0)
    requests.give_back("key", 1, now=0)

    requests.take("key", 1, now=0)


def test_a_rate_of_zero_is_no_limit() -> None:
    requests = limit(rate=0, capacity=0)

    for _ in range(1000):
        requests.take("key", 10_000, now=0)
    requests.require_room("key", now=0)


def test_a_batch_larger_than_the_bucket_passes_on_credit_and_is_paid_for() -> None:
    events = limit(rate=10, capacity=50)
    events.take("key", 1000, now=0)

    with pytest.raises(RateLimited) as refused:
        events.take("key", 1, now=0)

    assert refused.value.retry_after_seconds == 96  # 950 owed and the one asked for, at 10 a second


def test_a_stranger_more_is_one_bucket_less_of_the_oldest() -> None:
    requests = limit(capacity=1)
    for stranger in range(MOST_BUCKETS + 10):
        requests.take(stranger, 1, now=0)

    assert len(requests._buckets) == MOST_BUCKETS
    with pytest.raises(RateLimited):
        requests.take(MOST_BUCKETS + 9, 1, now=0)
