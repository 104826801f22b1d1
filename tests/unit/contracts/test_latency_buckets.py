"""Latency buckets: close to the true value, whatever the scale."""

from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.latency_buckets import (
    MIN_LATENCY_SECONDS,
    bucket_midpoint_seconds,
    bucket_of,
)


@given(st.floats(MIN_LATENCY_SECONDS, 1e6))
def test_a_bucket_is_within_nine_percent_of_its_latencies(seconds: float) -> None:
    assert abs(bucket_midpoint_seconds(bucket_of(seconds)) / seconds - 1) <= 0.0906


def test_everything_below_a_microsecond_is_in_one_bucket() -> None:
    assert bucket_of(0) == bucket_of(MIN_LATENCY_SECONDS)
