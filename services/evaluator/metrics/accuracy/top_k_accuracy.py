"""Proportion of items with the right answer among the five best."""

from __future__ import annotations

from collections.abc import Sequence

from archon_contracts.formats import CaseResult
from archon_contracts.metric_names import TOP_K
from archon_contracts.values import MetricFamily
from services.evaluator.metrics.estimators import proportion
from services.evaluator.metrics.metric import Measurement, Metric, by_group


def measure(cases: Sequence[CaseResult]) -> Measurement:
    """Of agents that rank their answers; a text has no alternatives."""
    return proportion(cases, score, "no item has a right answer and ranked alternatives")


def score(case: CaseResult) -> bool | None:
    """Whether the target is among the best answers."""
    if not case.target or case.error or not case.alternatives:
        return None
    return case.target in (case.output, *case.alternatives)[:TOP_K]


METRIC = Metric(
    name="top_k_accuracy",
    family=MetricFamily.ACCURACY,
    summary="proportion of items with the right answer among the five best",
    measure=by_group(measure),
    specification=("Accuracy",),
)
