"""How hard cases are for a model, by its confidence, and whether that predicts its errors: pure.

A case's difficulty is the probability that the model answers it wrong, 0 to 1. It is fitted to
other cases than the one that it is stated for (Platt's scaling of the log-odds of the confidence;
Platt 1999, in Advances in Large Margin Classifiers, 61-74), so that its reliability can be measured
on the same suite. scikit-learn is imported inside functions: only children compute.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from services.evaluator.metrics.calibration import Confident

PARTS: Final = 5
FEWEST: Final = 10
"""Of right answers and of wrong ones; below, a part may have none to learn from."""
CLIPPED: Final = 1e-6
FEW_CASES: Final = f"fewer than {FEWEST} answers with a confidence are right, or are wrong"


def has_both(scored: Sequence[Confident]) -> bool:
    """Whether enough answers are right and enough are wrong."""
    wrong = sum(not right for _, right in scored)
    return FEWEST <= wrong <= len(scored) - FEWEST


def rank_errors(scored: Sequence[Confident]) -> list[float]:
    """Uncalibrated difficulty: one minus the confidence."""
    return [1 - confidence for confidence, _ in scored]


def calibrate_difficulty(scored: Sequence[Confident]) -> list[float]:
    """The difficulty of each case, fitted to the other parts' cases.

    Raises:
        ValueError: too few answers are right, or are wrong (`has_both`).
    """
    if not has_both(scored):
        raise ValueError(FEW_CASES)
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    found: Any = cross_val_predict(
        LogisticRegression(),
        [[_log_odds(confidence)] for confidence, _ in scored],
        [not right for _, right in scored],
        cv=PARTS,
        method="predict_proba",
    )
    return [float(each) for each in found[:, 1]]


def _log_odds(confidence: float) -> float:
    clipped = min(max(confidence, CLIPPED), 1 - CLIPPED)
    return math.log(clipped / (1 - clipped))
