"""Mean quality of answers by a grader or reviewers (0 to 1)."""

from __future__ import annotations

from collections.abc import Sequence

from archon_contracts.formats import CaseResult
from archon_contracts.values import MetricFamily
from services.evaluator.metrics.estimators import mean
from services.evaluator.metrics.metric import Measurement, Metric, by_group


def measure(cases: Sequence[CaseResult]) -> Measurement:
    """Over the answers that were graded."""
    nothing = "no answer was graded: name a grader, or review some answers"
    return mean(cases, lambda case: case.quality, nothing, bounds=(0.0, 1.0))


METRIC = Metric(
    name="response_quality",
    family=MetricFamily.ACCURACY,
    summary="mean quality of answers by a grader or reviewers (0 to 1)",
    measure=by_group(measure),
    specification=("Response quality",),
)
