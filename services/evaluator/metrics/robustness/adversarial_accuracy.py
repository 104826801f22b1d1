"""Accuracy on adversarial cases."""

from __future__ import annotations

from collections.abc import Sequence

from archon_contracts.formats import CaseCategory, CaseResult
from archon_contracts.values import MetricFamily
from services.evaluator.metrics.estimators import proportion
from services.evaluator.metrics.metric import Measurement, Metric, overall


def measure(cases: Sequence[CaseResult]) -> Measurement:
    """Over the cases of that category."""
    chosen = [case for case in cases if case.category is CaseCategory.ADVERSARIAL]
    nothing = "the suite has no scored case of category adversarial"
    return proportion(chosen, lambda case: case.correct, nothing)


METRIC = Metric(
    name="adversarial_accuracy",
    family=MetricFamily.ROBUSTNESS,
    summary="accuracy on adversarial cases",
    measure=overall(measure),
    specification=("Adversarial robustness",),
)
