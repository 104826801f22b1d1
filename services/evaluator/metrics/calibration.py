"""Confidence against accuracy: reliability bins and the expected calibration error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from archon_contracts.formats import AbstentionPoint, CaseResult, ReliabilityBin
from archon_contracts.values import Estimate
from services.evaluator.metrics.estimators import bootstrap

BINS: Final = 10
"""Of equal width from 0 to 1."""

Confident = tuple[float, bool]
"""A confidence, and whether the answer is right."""


def select_confident(cases: Sequence[CaseResult]) -> list[Confident]:
    """The answers with a confidence whose rightness is known."""
    return [
        (case.score, case.correct)
        for case in cases
        if case.score is not None and case.correct is not None
    ]


def estimate_calibration_error(scored: Sequence[Confident]) -> Estimate:
    """Mean distance of confidence and accuracy over bins, weighted by their items.

    Source: Naeini, Cooper and Hauskrecht 2015, AAAI, 2901-2907. The interval is the bootstrap's
    (BCa) over items; the estimate is biased upwards where bins hold few.
    """
    import numpy as np

    confidence = np.asarray([each[0] for each in scored], dtype=float)
    right = np.asarray([each[1] for each in scored], dtype=float)
    value = float(_calibration_error(confidence, right))
    n = len(scored)
    if n < 2:
        return Estimate(value=value, low=0.0, high=1.0, n=n)
    low, high = bootstrap((confidence, right), _calibration_error, paired=True)
    return Estimate(
        value=value, low=max(0.0, min(low, value)), high=min(1.0, max(high, value)), n=n
    )


def _calibration_error(confidence: Any, right: Any, axis: int = -1) -> Any:
    import numpy as np

    distance = np.moveaxis(confidence - right, axis, -1)
    place = np.moveaxis(_places(confidence), axis, -1)
    sums = [np.where(place == each, distance, 0).sum(axis=-1) for each in range(BINS)]
    return np.abs(np.stack(sums)).sum(axis=0) / distance.shape[-1]


def _places(confidence: Any) -> Any:
    """The bin of each confidence, the upper edge included as in scikit-learn's curve."""
    import numpy as np

    return np.clip(np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], confidence), 0, BINS - 1)


def build_reliability(scored: Sequence[Confident]) -> tuple[ReliabilityBin, ...]:
    """The calibration curve: each bin that has items, with its accuracy and Wilson's interval."""
    import numpy as np

    from services.evaluator.comparison.estimates import estimate_proportion

    confidence = np.asarray([each[0] for each in scored], dtype=float)
    places = _places(confidence)
    bins = []
    for place in range(BINS):
        inside = np.flatnonzero(places == place)
        if len(inside):
            hits = sum(scored[int(index)][1] for index in inside)
            bins.append(
                ReliabilityBin(
                    low=place / BINS,
                    high=(place + 1) / BINS,
                    confidence=float(confidence[inside].mean()),
                    accuracy=estimate_proportion(hits, len(inside)),
                )
            )
    return tuple(bins)


def build_abstention(scored: Sequence[Confident]) -> tuple[AbstentionPoint, ...]:
    """Coverage and accuracy where the agent answers only above a confidence, per tenth of items.

    Source: the risk-coverage curve of El-Yaniv and Wiener 2010, JMLR 11, 1605-1641.
    """
    from services.evaluator.comparison.estimates import estimate_proportion

    ordered = sorted(scored, key=lambda each: -each[0])
    points = {}
    for tenth in range(1, 11):
        answered = len(ordered) * tenth // 10
        if answered:
            threshold = ordered[answered - 1][0]
            # Equal confidences are answered together or not at all.
            above = [right for confidence, right in ordered if confidence >= threshold]
            points[threshold] = AbstentionPoint(
                threshold=threshold,
                coverage=len(above) / len(ordered),
                accuracy=estimate_proportion(sum(above), len(above)),
            )
    return tuple(points.values())
