"""Mean recall of all classes."""

from __future__ import annotations

from archon_contracts.values import MetricFamily
from services.evaluator.metrics.class_counts import macro, recall
from services.evaluator.metrics.metric import Metric, overall

METRIC = Metric(
    name="macro_recall",
    family=MetricFamily.ACCURACY,
    summary="mean recall of all classes",
    measure=overall(macro(recall)),
    specification=("Precision / Recall / F1",),
)
