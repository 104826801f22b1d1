"""Accuracy on edge cases."""

from __future__ import annotations

from collections.abc import Sequence

from archon_contracts.formats import CaseCategory, CaseResult
from archon_contracts.values import MetricFamily
from services.evaluator.metrics.estimators import proportion
from services.evaluator.metrics.metric import Measurement, Metric, overall


def measure(cases: Sequence[CaseResult]) -> Measurement:
    """Over the cases of that category."""
    chosen = [case for case in cases if case.category is CaseCategory.EDGE]
    nothing = "the suite has no scored case of category edge"
    return proportion(chosen, lambda case: case.correct, nothing)


METRIC = Metric(
    name="edge_case_accuracy",
    family=MetricFamily.ROBUSTNESS,
    summary="accuracy on edge cases",
    measure=overall(measure),
    specification=("Performance on edge cases", "Edge case performance"),
)
