"""Proportion of items without a fitting answer that the agent abstains from."""

from __future__ import annotations

from collections.abc import Sequence

from archon_contracts.formats import CaseCategory, CaseResult
from archon_contracts.values import MetricFamily
from services.evaluator.metrics.estimators import proportion
from services.evaluator.metrics.metric import Measurement, Metric, overall


def measure(cases: Sequence[CaseResult]) -> Measurement:
    """Over the cases of category out_of_distribution."""
    chosen = [case for case in cases if case.category is CaseCategory.OUT_OF_DISTRIBUTION]
    nothing = "the suite has no out_of_distribution case, or does not say what an abstention is"
    return proportion(chosen, lambda case: case.refused, nothing)


METRIC = Metric(
    name="abstention",
    family=MetricFamily.ROBUSTNESS,
    summary="proportion of items without a fitting answer that the agent abstains from",
    measure=overall(measure),
    specification=("Out-of-distribution handling",),
)
