"""Mean reward of production answers (-1 to 1)."""

from __future__ import annotations

from collections.abc import Mapping

from archon_contracts.values import ALL_ITEMS, MetricFamily
from services.evaluator.metrics.estimators import bounded_mean
from services.evaluator.metrics.metric import Evidence, Measurement, Metric

NOTHING = "no answer of this version was rewarded in production"


def measure(evidence: Evidence) -> Mapping[str, Measurement]:
    """From the counters of feedback; feedback without a reward is unscored."""
    counts = evidence.feedback
    if counts is None or not counts.rewarded:
        return {ALL_ITEMS: Measurement(None, counts.feedback if counts else 0, NOTHING)}
    estimate = bounded_mean(counts.reward_sum, counts.rewarded, (-1.0, 1.0))
    return {ALL_ITEMS: Measurement(estimate, max(0, counts.feedback - counts.rewarded))}


METRIC = Metric(
    name="reward",
    family=MetricFamily.USER_SATISFACTION,
    summary="mean reward of production answers (-1 to 1)",
    measure=measure,
    specification=("Feedback scores",),
)
