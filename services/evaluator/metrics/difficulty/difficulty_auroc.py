"""How surely a case that the model answers wrong has a higher difficulty than one it has right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archon_contracts.formats import CaseResult
from archon_contracts.values import Estimate, MetricFamily
from services.evaluator.metrics.calibration import select_confident
from services.evaluator.metrics.error_prediction import FEW_CASES, has_both, rank_errors
from services.evaluator.metrics.estimators import bootstrap
from services.evaluator.metrics.metric import Measurement, Metric, overall


def measure(cases: Sequence[CaseResult]) -> Measurement:
    """The area under the ROC curve of wrong answers by difficulty."""
    scored = select_confident(cases)
    unscored = len(cases) - len(scored)
    if not has_both(scored):
        return Measurement(None, unscored, FEW_CASES)
    import numpy as np

    difficulty = np.asarray(rank_errors(scored))
    wrong = np.asarray([not right for _, right in scored], dtype=float)
    value = float(_area(difficulty, wrong))
    low, high = bootstrap((difficulty, wrong), _area, paired=True)
    estimate = Estimate(
        value=value, low=max(0.0, min(low, value)), high=min(1.0, max(high, value)), n=len(scored)
    )
    return Measurement(estimate, unscored)


def _area(difficulty: Any, wrong: Any, axis: int = -1) -> Any:
    """By the sum of ranks (Mann and Whitney 1947); a resample with one kind alone counts half."""
    import numpy as np
    from scipy.stats import rankdata

    count = wrong.shape[axis]
    positive = wrong.sum(axis=axis)
    ranks = (rankdata(difficulty, axis=axis) * wrong).sum(axis=axis)
    pairs = positive * (count - positive)
    above = ranks - positive * (positive + 1) / 2
    return np.where(pairs > 0, above / np.maximum(pairs, 1), 0.5)


METRIC = Metric(
    name="difficulty_auroc",
    family=MetricFamily.ACCURACY,
    summary="how surely cases answered wrong have a lower confidence than those answered right",
    measure=overall(measure),
    specification=("Accuracy",),
)
