"""How far a grader can be believed: its noise, its dislike of a position, and people's opinion."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Final

from archon_contracts.formats import GraderAgreement
from services.evaluator.suites.grading.replies import HIGHEST, LOWEST

PASSING: Final = 0.5
"""Quality from which an answer counts as good."""


def measure_noise(qualities: Sequence[Sequence[float]]) -> float | None:
    """The standard deviation of one answer's repeated grades, pooled over all answers.

    The root of the mean variance, each with n - 1; None: nothing was graded twice. Differences of
    two answers that are smaller say nothing.
    """
    repeated = [each for each in qualities if len(each) > 1]
    if not repeated:
        return None
    degrees = sum(len(each) - 1 for each in repeated)
    squares = sum(statistics.variance(each) * (len(each) - 1) for each in repeated)
    return math.sqrt(squares / degrees)


def compare_with_people(graded: Sequence[float], people: Sequence[float]) -> GraderAgreement | None:
    """Cohen's kappa of good and bad, and the quadratically weighted one of the five grades.

    J. Cohen, "A coefficient of agreement for nominal scales", 1960; "Weighted kappa", 1968. By
    scikit-learn. None: no answer has a label of a person. A kappa is absent where both always say
    the same: no coefficient can separate that from chance.
    """
    if not graded:
        return None
    from sklearn.metrics import cohen_kappa_score

    def kappa(sides: Sequence[Sequence[int]], weights: str | None) -> float | None:
        first, second = sides
        if len({*first, *second}) < 2:
            return None
        return float(cohen_kappa_score(first, second, weights=weights))

    levels = [[_to_level(each) for each in side] for side in (graded, people)]
    passing = [[int(each >= PASSING) for each in side] for side in (graded, people)]
    return GraderAgreement(
        items=len(graded),
        kappa=kappa(passing, None),
        weighted_kappa=kappa(levels, "quadratic"),
        agreed=sum(a == b for a, b in zip(*passing, strict=True)),
    )


def _to_level(quality: float) -> int:
    return LOWEST + round(quality * (HIGHEST - LOWEST))
