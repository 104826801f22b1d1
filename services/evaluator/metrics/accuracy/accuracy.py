"""Proportion of items whose answer is right."""

from __future__ import annotations

from collections.abc import Sequence

from archon_contracts.formats import CaseResult
from archon_contracts.values import MetricFamily
from services.evaluator.metrics.estimators import proportion
from services.evaluator.metrics.metric import Measurement, Metric, by_group


def measure(cases: Sequence[CaseResult]) -> Measurement:
    """Over the items that have a right answer and were answered."""
    return proportion(cases, lambda case: case.correct, "no item has a right answer")


METRIC = Metric(
    name="accuracy",
    family=MetricFamily.ACCURACY,
    summary="proportion of items whose answer is right",
    measure=by_group(measure),
    specification=("Accuracy",),
)
