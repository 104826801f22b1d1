"""Mean time of a task, errors included."""

from __future__ import annotations

from collections.abc import Sequence

from archon_contracts.formats import CaseResult
from archon_contracts.values import MetricFamily
from services.evaluator.metrics.estimators import mean
from services.evaluator.metrics.metric import Measurement, Metric, by_group


def measure(cases: Sequence[CaseResult]) -> Measurement:
    """Over the cases that were timed [s]; one that ran into its time limit counts with it."""
    return mean(cases, lambda case: case.latency_seconds, "no answer was timed")


METRIC = Metric(
    name="time_per_task",
    family=MetricFamily.EFFICIENCY,
    summary="mean time of a task, errors included",
    measure=by_group(measure),
    unit="s",
    higher_is_better=False,
    specification=("Time per task",),
)
