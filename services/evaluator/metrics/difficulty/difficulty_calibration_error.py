"""Mean distance of calibrated difficulty and the rate of wrong answers, over bins of difficulty."""

from __future__ import annotations

from collections.abc import Sequence

from archon_contracts.formats import CaseResult
from archon_contracts.values import MetricFamily
from services.evaluator.metrics.calibration import estimate_calibration_error, select_confident
from services.evaluator.metrics.error_prediction import FEW_CASES, calibrate_difficulty, has_both
from services.evaluator.metrics.metric import Measurement, Metric, overall


def measure(cases: Sequence[CaseResult]) -> Measurement:
    """Of difficulty as it is stated for a case that it was not fitted to."""
    scored = select_confident(cases)
    unscored = len(cases) - len(scored)
    if not has_both(scored):
        return Measurement(None, unscored, FEW_CASES)
    wrong = [not right for _, right in scored]
    stated = list(zip(calibrate_difficulty(scored), wrong, strict=True))
    return Measurement(estimate_calibration_error(stated), unscored)


METRIC = Metric(
    name="difficulty_calibration_error",
    family=MetricFamily.ACCURACY,
    summary="mean distance of difficulty and the rate of wrong answers over bins of difficulty",
    measure=overall(measure),
    higher_is_better=False,
    specification=("Accuracy",),
)
