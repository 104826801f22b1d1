"""Precision of each class; the group is the class."""

from __future__ import annotations

from archon_contracts.values import MetricFamily
from services.evaluator.metrics.class_counts import per_class, precision
from services.evaluator.metrics.metric import Metric

METRIC = Metric(
    name="class_precision",
    family=MetricFamily.ACCURACY,
    summary="precision of each class; the group is the class",
    measure=per_class(precision),
    specification=("Precision / Recall / F1",),
)
