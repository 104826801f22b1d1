"""Recall of each class; the group is the class."""

from __future__ import annotations

from archon_contracts.values import MetricFamily
from services.evaluator.metrics.class_counts import per_class, recall
from services.evaluator.metrics.metric import Metric

METRIC = Metric(
    name="class_recall",
    family=MetricFamily.ACCURACY,
    summary="recall of each class; the group is the class",
    measure=per_class(recall),
    specification=("Precision / Recall / F1",),
)
