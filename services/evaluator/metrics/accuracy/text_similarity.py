"""Mean similarity of answers to their targets (chrF, 0 to 1)."""

from __future__ import annotations

from collections.abc import Sequence

from archon_contracts.formats import CaseResult
from archon_contracts.values import MetricFamily
from services.evaluator.metrics.estimators import mean
from services.evaluator.metrics.metric import Measurement, Metric, by_group


def measure(cases: Sequence[CaseResult]) -> Measurement:
    """sacrebleu's sentence chrF2 (Popovic 2015, WMT, 392-395), divided by 100."""
    from sacrebleu.metrics.chrf import CHRF

    chrf = CHRF()

    def score(case: CaseResult) -> float | None:
        if not case.target or case.error:
            return None
        return float(chrf.sentence_score(case.output, [case.target]).score) / 100

    return mean(cases, score, "no item has a right answer", bounds=(0.0, 1.0))


METRIC = Metric(
    name="text_similarity",
    family=MetricFamily.ACCURACY,
    summary="mean similarity of answers to their targets (chrF, 0 to 1)",
    measure=by_group(measure),
    specification=("Response quality",),
)
