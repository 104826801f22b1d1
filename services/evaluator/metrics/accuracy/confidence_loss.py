"""Binary cross-entropy of confidence: the test loss of any agent that states one."""

from __future__ import annotations

from collections.abc import Sequence

from archon_contracts.formats import CaseResult
from archon_contracts.values import MetricFamily
from services.evaluator.metrics.estimators import mean
from services.evaluator.metrics.metric import Measurement, Metric, by_group
from services.evaluator.scoring.scorers import cross_entropy


def measure(cases: Sequence[CaseResult]) -> Measurement:
    """Mean of -log of the probability that the agent gave to what then was the case [nat]."""
    return mean(cases, loss, "no scored answer has a confidence")


def loss(case: CaseResult) -> float | None:
    """Of one answer; None where its confidence or rightness is not known."""
    if case.score is None or case.correct is None:
        return None
    return cross_entropy(case.score, right=case.correct)


METRIC = Metric(
    name="confidence_loss",
    family=MetricFamily.ACCURACY,
    summary="mean cross-entropy of confidence and rightness",
    measure=by_group(measure),
    unit="nat",
    higher_is_better=False,
    specification=("Test loss",),
)
