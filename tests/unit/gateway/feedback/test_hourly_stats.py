"""Counting and quantiles of what agents report."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.feedback.hourly_stats import (
    HourlyCounts,
    LogLine,
    analyse,
    bucket_midpoint_seconds,
    bucket_of,
    compute_quantiles,
    count_by_hour,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def counted(*events: tuple[str, dict[str, object]]) -> HourlyCounts:
    hour = HourlyCounts(hour=NOON)
    for name, body in events:
        hour.count(name, body)
    return hour


@given(st.floats(1e-5, 1e6))
def test_a_bucket_is_within_a_tenth_of_its_latencies(seconds: float) -> None:
    assert bucket_midpoint_seconds(bucket_of(seconds)) == pytest.approx(seconds, rel=0.1)


def test_quantiles_are_those_of_the_latencies() -> None:
    hour = HourlyCounts(hour=NOON)
    for milliseconds in range(1, 101):
        hour.count("InteractionLogged", {"latency_seconds": milliseconds / 1000})

    found = compute_quantiles({int(bucket): n for bucket, n in hour.latencies.items()})

    assert found["p50"] == pytest.approx(0.050, rel=0.1)
    assert found["p99"] == pytest.approx(0.099, rel=0.1)


def test_an_agreeing_expectation_is_no_correction() -> None:
    hour = counted(
        ("FeedbackReceived", {"expected": "a", "actual": "a"}),
        ("FeedbackReceived", {"expected": "a", "actual": "b", "rating": 2}),
        ("FeedbackReceived", {"reward": -0.5}),
    )

    found = analyse([hour])

    assert (found.feedback, found.corrected, found.corrected_proportion) == (3, 1, 0.3333)
    assert (found.mean_rating, found.mean_reward) == (2.0, -0.5)


def test_a_proportion_without_data_is_absent() -> None:
    found = analyse([])

    assert found.mean_rating is None
    assert found.error_proportion is None
    assert found.latency_seconds == {}


@pytest.mark.parametrize("rating", ["five", None, True, 9, float("nan"), [], {}])
def test_a_rating_that_is_none_counts_as_unrated(rating: object) -> None:
    assert counted(("FeedbackReceived", {"rating": rating})).rated == 0


@pytest.mark.parametrize("latency", ["slow", -1, 1e300, float("inf"), {}])
def test_a_latency_that_is_none_is_left_out(latency: object) -> None:
    assert counted(("InteractionLogged", {"latency_seconds": latency})).latencies == {}


def test_sent_lines_are_counted_by_the_hour() -> None:
    lines = [
        LogLine(at=NOON.replace(minute=5), latencySeconds=0.2),
        LogLine(at=NOON.replace(minute=50), error="timeout"),
        LogLine(rating=3, expected="a", actual="b"),
    ]

    hours = count_by_hour(lines, now=NOON.replace(hour=15))

    assert [(h.hour.hour, h.interactions, h.failed) for h in hours] == [(12, 2, 1), (15, 1, 0)]
    assert analyse(hours).error_proportion == 0.3333
    assert analyse(hours).corrected == 1
