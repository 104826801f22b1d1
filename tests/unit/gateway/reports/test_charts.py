"""Geometry of the report's drawings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.formats import CurvePoint, LearningCurve, TopicDecision
from services.gateway.reports.charts import (
    CHART_HEIGHT,
    CHART_WIDTH,
    INTERVAL_WIDTH,
    choose_ticks,
    draw_curves,
    place_intervals,
)
from tests.support.gateway.reported_runs import topic

FINITE = st.floats(-1e6, 1e6, allow_nan=False)


def curve(values: list[float], attempt: int = 1) -> LearningCurve:
    """A curve with a value per step."""
    points = tuple(CurvePoint(step=n, value=v) for n, v in enumerate(values, start=1))
    return LearningCurve(metric="train/loss", attempt=attempt, points=points)


def test_intervals_share_an_axis_with_zero_in_the_middle() -> None:
    rows = [topic("a", 0.5, 0.9, TopicDecision.GAIN), topic("b", 0.5, 0.4, TopicDecision.UNDECIDED)]

    gain, loss = place_intervals(rows)

    assert gain.zero == loss.zero == INTERVAL_WIDTH / 2
    assert gain.value > gain.zero > loss.value
    assert gain.high == pytest.approx(INTERVAL_WIDTH - 6)


def test_one_large_gain_does_not_hide_the_small_differences() -> None:
    rows = [topic("new", 0.0, 0.95, TopicDecision.GAIN), topic("a", 0.5, 0.55, TopicDecision.GAIN)]

    large, small = place_intervals(rows)

    assert large.value == large.high == INTERVAL_WIDTH - 6
    assert small.value - small.zero > 10


@given(st.lists(FINITE, min_size=2, max_size=30))
def test_every_point_of_a_curve_lies_in_the_chart(values: list[float]) -> None:
    (chart,) = draw_curves([curve(values)])

    assert all(0 <= x <= CHART_WIDTH and 0 <= y <= CHART_HEIGHT for x, y in chart.dots)
    assert len(chart.dots) == len(values)


@given(FINITE, FINITE)
def test_ticks_span_the_range_and_are_few(one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)

    ticks = choose_ticks(low, high)

    assert ticks == sorted(ticks)
    assert 1 <= len(ticks) <= 8
    if high - low > 1e-3:
        assert ticks[0] <= low + 1e-9
        assert ticks[-1] >= high - 1e-9


def test_charts_are_of_the_newest_attempt_and_of_no_single_point() -> None:
    assert [c.attempt for c in draw_curves([curve([2, 1], 1), curve([2, 1], 2)])] == [2]
    assert draw_curves([curve([1.0])]) == []
