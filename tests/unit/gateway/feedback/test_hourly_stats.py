"""Statistics of what agents report, per hour and together."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from archon_contracts.events import FeedbackCounts
from archon_contracts.latency_buckets import bucket_of
from services.gateway.feedback.hourly_stats import (
    SUMMED_FIELDS,
    LogLine,
    analyse,
    compute_quantiles,
    count_by_hour,
    merge_by_hour,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@given(st.lists(st.floats(1e-5, 1e6), min_size=1))
def test_a_quantile_is_within_a_tenth_of_the_true_one(seconds: list[float]) -> None:
    (hour,) = count_by_hour([LogLine(latencySeconds=each) for each in seconds], now=NOON)

    found = compute_quantiles(hour.latencies)

    middle = sorted(seconds)[(len(seconds) + 1) // 2 - 1]
    assert found["p50"] == pytest.approx(middle, rel=0.1)


def test_quantiles_of_no_latency_are_absent() -> None:
    assert compute_quantiles({}) == {}


def test_an_expected_answer_equal_to_the_actual_one_is_no_correction() -> None:
    lines = [
        LogLine(expected="a", actual="a"),
        LogLine(expected="a", actual="b", rating=2),
        LogLine(reward=-0.5),
    ]

    found = analyse(count_by_hour(lines, now=NOON))

    assert (found.feedback, found.corrected, found.corrected_proportion) == (3, 1, 0.3333)
    assert (found.mean_rating, found.mean_reward) == (2.0, -0.5)


def test_a_proportion_without_data_is_absent() -> None:
    found = analyse([])

    assert found.mean_rating is None
    assert found.error_proportion is None
    assert found.latency_seconds == {}


@pytest.mark.parametrize("latency", ["slow", -1, 1e300, float("inf"), {}])
def test_a_line_with_an_impossible_latency_is_refused(latency: object) -> None:
    with pytest.raises(ValidationError, match="latencySeconds"):
        LogLine(latencySeconds=latency)


def test_lines_are_counted_by_the_hour() -> None:
    lines = [
        LogLine(at=NOON.replace(minute=5), latencySeconds=0.2),
        LogLine(at=NOON.replace(minute=50), error="timeout"),
        LogLine(rating=3, expected="a", actual="b"),
    ]

    hours = count_by_hour(lines, now=NOON.replace(hour=15))

    assert [(h.hour.hour, h.interactions, h.failed) for h in hours] == [(12, 2, 1), (15, 1, 0)]
    assert hours[0].latencies == {str(bucket_of(0.2)): 1}
    assert analyse(hours).error_proportion == 0.3333
    assert analyse(hours).corrected == 1


def test_the_model_versions_of_an_hour_are_added_up() -> None:
    ones = dict.fromkeys(SUMMED_FIELDS, 1)
    later = NOON + timedelta(hours=1)
    counts = [
        FeedbackCounts(hour=later, feedback=7),
        FeedbackCounts(hour=NOON, model_version="1.0.0", latencies={"3": 1, "4": 1}, **ones),
        FeedbackCounts(hour=NOON, model_version="1.1.0", latencies={"4": 2}, **ones),
    ]

    hours = merge_by_hour(counts)

    twos = dict.fromkeys(SUMMED_FIELDS, 2)
    assert hours == [
        FeedbackCounts(hour=NOON, latencies={"3": 1, "4": 3}, **twos),
        FeedbackCounts(hour=later, feedback=7),
    ]


def test_times_with_and_without_an_offset_are_counted_in_utc() -> None:
    sent = [
        "2026-03-01T12:10:00",
        "2026-03-01T12:50:00Z",
        "2026-03-01T18:00:00+05:30",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
    ]

    found = count_by_hour([LogLine(at=each) for each in sent], now=NOON)

    assert [(each.hour.year, each.interactions) for each in found] == [(1, 1), (2026, 3), (9999, 1)]
    assert found[1].hour == NOON


@pytest.mark.parametrize("field", ["rating", "reward", "latencySeconds"])
@pytest.mark.parametrize("value", [True, "1"])
def test_a_line_whose_number_is_none_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        LogLine.model_validate({field: value})
