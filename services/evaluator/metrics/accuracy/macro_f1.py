"""Mean F1 of all classes."""

from __future__ import annotations

from archon_contracts.values import MetricFamily
from services.evaluator.metrics.class_counts import f1, macro
from services.evaluator.metrics.metric import Metric, overall

METRIC = Metric(
    name="macro_f1",
    family=MetricFamily.ACCURACY,
    summary="mean F1 of all classes",
    measure=overall(macro(f1)),
    specification=("Precision / Recall / F1",),
)
