"""Mean requests that an answer takes."""

from __future__ import annotations

from collections.abc import Sequence

from archon_contracts.formats import CaseResult
from archon_contracts.values import MetricFamily
from services.evaluator.metrics.estimators import mean
from services.evaluator.metrics.metric import Measurement, Metric, by_group


def measure(cases: Sequence[CaseResult]) -> Measurement:
    """Over the answers of which it is known."""
    nothing = "the requests of an answer were not counted"
    return mean(cases, lambda case: case.calls, nothing)


METRIC = Metric(
    name="calls",
    family=MetricFamily.RESOURCE_USAGE,
    summary="mean requests that an answer takes",
    measure=by_group(measure),
    unit="{request}",
    higher_is_better=False,
    specification=("API calls",),
)
