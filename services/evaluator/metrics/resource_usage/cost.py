"""Mean cost of an answer by the prices of the suite."""

from __future__ import annotations

from collections.abc import Sequence

from archon_contracts.formats import CaseResult
from archon_contracts.values import MetricFamily
from services.evaluator.metrics.estimators import mean
from services.evaluator.metrics.metric import Measurement, Metric, by_group


def measure(cases: Sequence[CaseResult]) -> Measurement:
    """Over the answers of which it is known."""
    nothing = "the suite has no prices, or the agent does not say what they are for"
    return mean(cases, lambda case: case.cost, nothing)


METRIC = Metric(
    name="cost",
    family=MetricFamily.RESOURCE_USAGE,
    summary="mean cost of an answer by the prices of the suite",
    measure=by_group(measure),
    unit="{currency}",
    higher_is_better=False,
    specification=("API costs",),
)
