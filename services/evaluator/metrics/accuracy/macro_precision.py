"""Mean precision of all classes."""

from __future__ import annotations

from archon_contracts.values import MetricFamily
from services.evaluator.metrics.class_counts import macro, precision
from services.evaluator.metrics.metric import Metric, overall

METRIC = Metric(
    name="macro_precision",
    family=MetricFamily.ACCURACY,
    summary="mean precision of all classes",
    measure=overall(macro(precision)),
    specification=("Precision / Recall / F1",),
)
