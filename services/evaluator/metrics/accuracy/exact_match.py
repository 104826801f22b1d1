"""Proportion of answers that are the target letter by letter."""

from __future__ import annotations

from collections.abc import Sequence

from archon_contracts.formats import CaseResult
from archon_contracts.values import MetricFamily
from services.evaluator.metrics.estimators import proportion
from services.evaluator.metrics.metric import Measurement, Metric, by_group


def measure(cases: Sequence[CaseResult]) -> Measurement:
    """Over the items that have a right answer and were answered."""
    return proportion(cases, score, "no item has a right answer")


def score(case: CaseResult) -> bool | None:
    """Whether answer and target are equal."""
    return case.output == case.target if case.target and not case.error else None


METRIC = Metric(
    name="exact_match",
    family=MetricFamily.ACCURACY,
    summary="proportion of answers that are the target letter by letter",
    measure=by_group(measure),
    specification=("Accuracy",),
)
