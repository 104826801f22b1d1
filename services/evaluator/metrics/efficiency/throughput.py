"""Answers given per second."""

from __future__ import annotations

from collections.abc import Mapping

from archon_contracts.values import ALL_ITEMS, MetricFamily
from services.evaluator.metrics.estimators import rate
from services.evaluator.metrics.metric import Evidence, Measurement, Metric


def measure(evidence: Evidence) -> Mapping[str, Measurement]:
    """All answers over the time that they took together; answers given at once count as such."""
    answered = sum(not case.error for case in evidence.cases)
    unscored = len(evidence.cases) - answered
    if not answered or not evidence.answering_seconds:
        return {ALL_ITEMS: Measurement(None, unscored, "no answer was timed")}
    return {ALL_ITEMS: Measurement(rate(answered, evidence.answering_seconds), unscored)}


METRIC = Metric(
    name="throughput",
    family=MetricFamily.EFFICIENCY,
    summary="answers given per second",
    measure=measure,
    unit="1/s",
    specification=("Time per task",),
)
