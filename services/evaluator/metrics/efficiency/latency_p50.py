"""Median of the time of an answer."""

from __future__ import annotations

from collections.abc import Sequence

from archon_contracts.formats import CaseResult
from archon_contracts.values import MetricFamily
from services.evaluator.metrics.estimators import quantile
from services.evaluator.metrics.metric import Measurement, Metric, by_group


def measure(cases: Sequence[CaseResult]) -> Measurement:
    """Over the answers that were timed [s]."""
    return quantile((case.latency_seconds for case in cases), 0.5, "no answer was timed")


METRIC = Metric(
    name="latency_p50",
    family=MetricFamily.EFFICIENCY,
    summary="median of the time of an answer",
    measure=by_group(measure),
    unit="s",
    higher_is_better=False,
    specification=("Inference latency",),
)
