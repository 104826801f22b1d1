"""Mean rating of production answers, in stars."""

from __future__ import annotations

from collections.abc import Mapping

from archon_contracts.values import ALL_ITEMS, MetricFamily
from services.evaluator.metrics.estimators import bounded_mean
from services.evaluator.metrics.metric import Evidence, Measurement, Metric

NOTHING = "no answer of this version was rated in production"


def measure(evidence: Evidence) -> Mapping[str, Measurement]:
    """From the counters of feedback; feedback without a rating is unscored."""
    counts = evidence.feedback
    if counts is None or not counts.rated:
        return {ALL_ITEMS: Measurement(None, counts.feedback if counts else 0, NOTHING)}
    estimate = bounded_mean(counts.rating_sum, counts.rated, (1.0, 5.0))
    return {ALL_ITEMS: Measurement(estimate, max(0, counts.feedback - counts.rated))}


METRIC = Metric(
    name="rating",
    family=MetricFamily.USER_SATISFACTION,
    summary="mean rating of production answers, in stars",
    measure=measure,
    unit="{star}",
    specification=("Feedback scores",),
)
