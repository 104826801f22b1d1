"""Mean similarity of answers to their targets (chrF, 0 to 1)."""

from __future__ import annotations

from collections.abc import Sequence

from archon_contracts.formats import CaseResult
from archon_contracts.values import MetricFamily
from services.evaluator.metrics.estimators import mean
from services.evaluator.metrics.metric import Measurement, Metric, by_group
from services.evaluator.scoring.scorers import text_similarity


def measure(cases: Sequence[CaseResult]) -> Measurement:
    """Over the items that have a right answer and were answered."""
    return mean(cases, score, "no item has a right answer", bounds=(0.0, 1.0))


def score(case: CaseResult) -> float | None:
    """Similarity of answer and target; None where there is not both."""
    if not case.target or case.error:
        return None
    return text_similarity(case.output, case.target)


METRIC = Metric(
    name="text_similarity",
    family=MetricFamily.ACCURACY,
    summary="mean similarity of answers to their targets (chrF, 0 to 1)",
    measure=by_group(measure),
    specification=("Response quality",),
)
