"""Binary cross-entropy of confidence: the test loss of any agent that states one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from archon_contracts.formats import CaseResult
from archon_contracts.values import MetricFamily
from services.evaluator.metrics.estimators import mean
from services.evaluator.metrics.metric import Measurement, Metric, by_group

SMALLEST: Final = 2.0**-52
"""Probabilities are kept this far from 0 and 1, as in `sklearn.metrics.log_loss`."""


def measure(cases: Sequence[CaseResult]) -> Measurement:
    """Mean of -log of the probability that the agent gave to what then was the case [nat]."""
    return mean(cases, loss, "no scored answer has a confidence")


def loss(case: CaseResult) -> float | None:
    """Of one answer; None where its confidence or rightness is not known."""
    if case.score is None or case.correct is None:
        return None
    probability = case.score if case.correct else 1 - case.score
    return -math.log(min(1 - SMALLEST, max(SMALLEST, probability)))


METRIC = Metric(
    name="confidence_loss",
    family=MetricFamily.ACCURACY,
    summary="mean cross-entropy of confidence and rightness",
    measure=by_group(measure),
    unit="nat",
    higher_is_better=False,
    specification=("Test loss",),
)
