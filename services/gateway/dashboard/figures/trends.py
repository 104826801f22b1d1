"""How an agent's feedback went day by day: pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Final

from archon_contracts.events import FeedbackCounts
from services.gateway.dashboard.figures.drawings import CurveChart, draw_overlay
from services.gateway.views.metrics import MetricSample

DAYS: Final = 30
LEAST_RATED: Final = 5
"""Events of a day below which its mean is left out: one rating is no trend."""


def draw_trends(hours: Sequence[FeedbackCounts], today: date) -> list[CurveChart]:
    """Events, mean rating and proportions by day; the last of 30 days is today."""
    days: defaultdict[int, list[FeedbackCounts]] = defaultdict(list)
    for each in hours:
        day = DAYS - (today - each.hour.date()).days
        if 0 < day <= DAYS:
            days[day].append(each)
    samples = [
        MetricSample(name=name, attempt=1, step=day, value=value)
        for day in sorted(days)
        for name, value in _figures(days[day]).items()
    ]
    return draw_overlay([("by day", samples)])


def _figures(counts: Sequence[FeedbackCounts]) -> dict[str, float]:
    feedback, rated = sum(c.feedback for c in counts), sum(c.rated for c in counts)
    interactions = sum(c.interactions for c in counts)
    found = {"feedback events": float(feedback)}
    if feedback >= LEAST_RATED:
        found["corrected [%]"] = 100 * sum(c.corrected for c in counts) / feedback
    if rated >= LEAST_RATED:
        found["mean rating [stars]"] = sum(c.rating_sum for c in counts) / rated
    if interactions >= LEAST_RATED:
        found["failed answers [%]"] = 100 * sum(c.failed for c in counts) / interactions
    return found
