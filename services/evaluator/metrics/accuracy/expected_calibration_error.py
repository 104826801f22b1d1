"""Mean distance of confidence and accuracy over bins of confidence."""

from __future__ import annotations

from collections.abc import Sequence

from archon_contracts.formats import CaseResult
from archon_contracts.values import MetricFamily
from services.evaluator.metrics.calibration import estimate_calibration_error, select_confident
from services.evaluator.metrics.metric import Measurement, Metric, overall


def measure(cases: Sequence[CaseResult]) -> Measurement:
    """Over the answers with a confidence whose rightness is known."""
    scored = select_confident(cases)
    unscored = len(cases) - len(scored)
    if not scored:
        return Measurement(None, unscored, "no scored answer has a confidence")
    return Measurement(estimate_calibration_error(scored), unscored)


METRIC = Metric(
    name="expected_calibration_error",
    family=MetricFamily.ACCURACY,
    summary="mean distance of confidence and accuracy over bins of confidence",
    measure=overall(measure),
    higher_is_better=False,
    specification=("Accuracy",),
)
