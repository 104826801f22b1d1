"""How well confidence separates items that the agent can answer from others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archon_contracts.formats import CaseCategory, CaseResult
from archon_contracts.values import Estimate, MetricFamily
from services.evaluator.metrics.estimators import bootstrap
from services.evaluator.metrics.metric import Measurement, Metric, overall

NOTHING = "it needs answers with a confidence to ordinary and to out_of_distribution cases"


def measure(cases: Sequence[CaseResult]) -> Measurement:
    """Area under the ROC curve of the confidence, by scikit-learn; 0.5: it says nothing."""
    import numpy as np
    from sklearn.metrics import roc_auc_score

    outside = [_confidence(case) for case in cases if _is_outside(case)]
    inside = [_confidence(case) for case in cases if case.category is CaseCategory.TASK]
    scored = [[each for each in side if each is not None] for side in (inside, outside)]
    known = len(scored[0]) + len(scored[1])
    unscored = len(inside) + len(outside) - known
    if not scored[0] or not scored[1]:
        return Measurement(None, unscored, NOTHING)
    value = float(
        roc_auc_score([1] * len(scored[0]) + [0] * len(scored[1]), [*scored[0], *scored[1]])
    )
    if min(len(scored[0]), len(scored[1])) < 2:
        return Measurement(None, unscored, "one case of a kind has no interval")
    low, high = bootstrap((np.asarray(scored[0]), np.asarray(scored[1])), _auroc)
    estimate = Estimate(value=value, low=min(low, value), high=max(high, value), n=known)
    return Measurement(estimate, unscored)


def _auroc(inside: Any, outside: Any, axis: int = -1) -> Any:
    """The same area as the Mann-Whitney statistic, over many resamples at once."""
    import numpy as np
    from scipy.stats import rankdata

    first = inside.shape[axis]
    both = np.concatenate([inside, outside], axis=axis)
    ranks = rankdata(both, axis=axis)
    above = np.take(ranks, range(first), axis=axis).sum(axis=axis) - first * (first + 1) / 2
    return above / (first * outside.shape[axis])


def _is_outside(case: CaseResult) -> bool:
    return case.category is CaseCategory.OUT_OF_DISTRIBUTION


def _confidence(case: CaseResult) -> float | None:
    return None if case.error else case.score


METRIC = Metric(
    name="ood_auroc",
    family=MetricFamily.ROBUSTNESS,
    summary="how well confidence separates items that the agent can answer from others",
    measure=overall(measure),
    specification=("Out-of-distribution handling",),
)
