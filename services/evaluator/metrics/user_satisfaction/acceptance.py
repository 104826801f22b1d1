"""Proportion of answers with feedback that nobody corrected."""

from __future__ import annotations

from collections.abc import Mapping

from archon_contracts.values import ALL_ITEMS, MetricFamily
from services.evaluator.metrics.metric import Evidence, Measurement, Metric

NOTHING = "there is no production feedback on this version"


def measure(evidence: Evidence) -> Mapping[str, Measurement]:
    """From the counters of feedback. Answers without feedback are in no counter."""
    # scipy is behind it, and services name metrics.
    from services.evaluator.comparison.estimates import estimate_proportion

    counts = evidence.feedback
    if counts is None or not counts.feedback:
        return {ALL_ITEMS: Measurement(None, 0, NOTHING)}
    accepted = max(0, counts.feedback - counts.corrected)
    return {ALL_ITEMS: Measurement(estimate_proportion(accepted, counts.feedback))}


METRIC = Metric(
    name="acceptance",
    family=MetricFamily.USER_SATISFACTION,
    summary="proportion of answers with feedback that nobody corrected",
    measure=measure,
    specification=("Feedback scores",),
)
