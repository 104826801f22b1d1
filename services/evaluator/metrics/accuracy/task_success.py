"""Proportion of answers that keep all assertions of their case."""

from __future__ import annotations

from collections.abc import Sequence

from archon_contracts.formats import CaseResult
from archon_contracts.values import MetricFamily
from services.evaluator.metrics.estimators import proportion
from services.evaluator.metrics.metric import Measurement, Metric, by_group


def measure(cases: Sequence[CaseResult]) -> Measurement:
    """Without assertions a right answer is success; without either there is no score."""
    return proportion(cases, score, "no case has an assertion or a right answer")


def score(case: CaseResult) -> bool | None:
    """Whether the task of a case is done; an answer that was not given is a failure of the task."""
    if case.error:
        return False if case.assertions or case.target else None
    if not case.assertions:
        return case.correct
    checked = [each.passed for each in case.assertions]
    if False in checked:
        return False
    return None if None in checked else True


METRIC = Metric(
    name="task_success",
    family=MetricFamily.ACCURACY,
    summary="proportion of answers that keep all assertions of their case",
    measure=by_group(measure),
    specification=("Task completion rate", "Task success rate"),
)
