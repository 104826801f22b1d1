"""Trends of an agent's feedback by day."""

from datetime import UTC, datetime, timedelta

from archon_contracts.events import FeedbackCounts
from services.gateway.dashboard.figures.trends import DAYS, draw_trends

NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)


def hour(days_ago: int, **counts: float) -> FeedbackCounts:
    return FeedbackCounts(hour=NOON - timedelta(days=days_ago), **counts)


def test_hours_of_a_day_are_one_point_and_today_is_the_last() -> None:
    hours = [
        hour(0, feedback=10, corrected=5, rated=10, rating_sum=40),
        FeedbackCounts(
            hour=NOON.replace(hour=1), feedback=10, corrected=1, rated=10, rating_sum=20
        ),
        hour(2, feedback=40, corrected=4, rated=8, rating_sum=32),
    ]

    charts = {chart.title: chart.data for chart in draw_trends(hours, NOON.date())}

    assert charts["feedback events"]["x"] == [DAYS - 2, DAYS]
    assert charts["feedback events"]["series"][0]["values"] == [40, 20]
    assert charts["corrected [%]"]["series"][0]["values"] == [10, 30]
    assert charts["mean rating [stars]"]["series"][0]["values"] == [4, 3]


def test_days_with_few_ratings_have_no_mean_and_old_ones_are_left_out() -> None:
    hours = [hour(0, feedback=9, rated=1, rating_sum=1), hour(1, feedback=9), hour(45, feedback=9)]

    charts = {chart.title: chart.data for chart in draw_trends(hours, NOON.date())}

    assert charts["feedback events"]["x"] == [DAYS - 1, DAYS]
    assert "mean rating [stars]" not in charts


def test_one_day_is_no_trend() -> None:
    assert draw_trends([hour(0, feedback=9)], NOON.date()) == []
