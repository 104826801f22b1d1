"""F1 of each class; the group is the class."""

from __future__ import annotations

from archon_contracts.values import MetricFamily
from services.evaluator.metrics.class_counts import f1, per_class
from services.evaluator.metrics.metric import Metric

METRIC = Metric(
    name="class_f1",
    family=MetricFamily.ACCURACY,
    summary="F1 of each class; the group is the class",
    measure=per_class(f1),
    specification=("Precision / Recall / F1",),
)
