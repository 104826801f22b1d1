"""Token buckets: what may be taken over a time, and how long a refusal says to wait."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.auth.token_bucket import MAX_BUCKETS, RateLimit, TokenBucket
from services.gateway.errors import RateLimited

RATES = st.floats(min_value=0.01, max_value=1e5)
CAPACITIES = st.floats(min_value=1, max_value=1e6)
STEPS = st.lists(st.tuples(st.floats(0, 100), st.integers(1, 20_000)), max_size=60)


def limit(rate: float = 1.0, capacity: float = 3.0) -> RateLimit:
    return RateLimit("requests_per_second", rate=rate, capacity=capacity, reason="too many")


@given(RATES, CAPACITIES, STEPS)
def test_consumption_is_bounded_by_capacity_and_rate(
    rate: float, capacity: float, steps: list[tuple[float, int]]
) -> None:
    bucket = TokenBucket(rate, capacity, capacity, 0.0)
    now, taken, largest = 0.0, 0.0, 0
    for pause, cost in steps:
        now += pause
        if not bucket.consume(cost, now):
            taken, largest = taken + cost, max(largest, cost)

        assert taken <= capacity + rate * now + largest + 1e-6 * max(taken, 1)


@given(RATES, CAPACITIES, STEPS, st.integers(1, 20_000))
def test_a_retry_after_the_stated_wait_is_admitted(
    rate: float, capacity: float, steps: list[tuple[float, int]], cost: int
) -> None:
    bucket = TokenBucket(rate, capacity, capacity, 0.0)
    now = 0.0
    for pause, earlier in steps:
        now += pause
        bucket.consume(earlier, now)

    now += bucket.wait(cost, now)

    # What is left of it is the rounding of the clock's own numbers.
    assert bucket.wait(cost, now) <= 1e-6 * max(now, 1)


@given(STEPS)
def test_a_refused_request_consumes_no_tokens(steps: list[tuple[float, int]]) -> None:
    bucket = TokenBucket(1.0, 5.0, 5.0, 0.0)
    now = 0.0
    for pause, cost in steps:
        now += pause
        bucket.wait(1, now)
        before = bucket.tokens

        if bucket.consume(cost, now):
            assert bucket.tokens == before


def test_a_clock_that_steps_back_adds_no_tokens() -> None:
    bucket = TokenBucket(1.0, 2.0, 0.0, 100.0)

    assert bucket.wait(1, 50.0) == pytest.approx(1.0)
    assert bucket.wait(1, 100.5) == pytest.approx(0.5)


def test_a_refusal_names_the_limit_and_the_whole_seconds_to_wait() -> None:
    requests = limit(rate=0.4, capacity=1)
    requests.consume("key", 1, now=0)

    with pytest.raises(RateLimited) as refused:
        requests.consume("key", 1, now=0)

    assert (refused.value.limit, refused.value.retry_after_seconds) == ("requests_per_second", 3)
    assert str(refused.value) == (
        "too many: the limit requests_per_second is reached; send the same again in 3 s"
    )


def test_each_key_has_its_own_bucket() -> None:
    requests = limit(capacity=1)
    requests.consume("loud", 1, now=0)

    requests.consume("quiet", 1, now=0)

    with pytest.raises(RateLimited):
        requests.require_room("loud", now=0)


def test_refunded_tokens_can_be_consumed_again() -> None:
    requests = limit(capacity=1)
    requests.consume("key", 1, now=0)
    requests.refund("key", 1, now=0)

    requests.consume("key", 1, now=0)


def test_a_rate_of_zero_is_no_limit() -> None:
    requests = limit(rate=0, capacity=0)

    for _ in range(1000):
        requests.consume("key", 10_000, now=0)
    requests.require_room("key", now=0)


def test_a_cost_above_the_capacity_leaves_the_bucket_negative() -> None:
    events = limit(rate=10, capacity=50)
    events.consume("key", 1000, now=0)

    with pytest.raises(RateLimited) as refused:
        events.consume("key", 1, now=0)

    assert refused.value.retry_after_seconds == 96  # 950 owed and the one asked for, at 10 a second


def test_the_oldest_bucket_is_evicted() -> None:
    requests = limit(capacity=1)
    for stranger in range(MAX_BUCKETS + 10):
        requests.consume(stranger, 1, now=0)

    assert len(requests._buckets) == MAX_BUCKETS
    with pytest.raises(RateLimited):
        requests.consume(MAX_BUCKETS + 9, 1, now=0)
