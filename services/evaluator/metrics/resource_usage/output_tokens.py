"""Mean tokens of an answer."""

from __future__ import annotations

from collections.abc import Sequence

from archon_contracts.formats import CaseResult
from archon_contracts.values import MetricFamily
from services.evaluator.metrics.estimators import mean
from services.evaluator.metrics.metric import Measurement, Metric, by_group


def measure(cases: Sequence[CaseResult]) -> Measurement:
    """Over the answers of which it is known."""
    nothing = "the agent does not say how many tokens it wrote"
    return mean(cases, lambda case: case.output_tokens, nothing)


METRIC = Metric(
    name="output_tokens",
    family=MetricFamily.RESOURCE_USAGE,
    summary="mean tokens of an answer",
    measure=by_group(measure),
    unit="{token}",
    higher_is_better=False,
    specification=("Tokens", "Token usage"),
)
