"""Whether a rater's feedback contradicts what is known more often than chance explains."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from services.data_prep.trust.neighbour_consistency import Consistency

SIGNIFICANCE_LEVEL: Final = 0.001
"""Probability below which a rater's contradicted feedback items are not believed to be chance."""

MINIMUM_EXPECTED_RATE: Final = 0.1
BASELINE_MULTIPLE: Final = 2.0
"""Honest raters differ: each may be contradicted so many times as often as is usual."""

MINIMUM_UNITS: Final = 5


def baseline_contradiction_rate(
    known: Counter[Consistency], others: Sequence[Counter[Consistency]]
) -> float:
    """How often what is right is contradicted: trusted items, or the median rater where that is
    more and there are enough. A median, because some of the others may collude."""
    rates = [rate for own in others if (rate := _contradiction_rate(own)) is not None]
    median = statistics.median(rates) if len(rates) >= MINIMUM_UNITS else 0.0
    return max(_contradiction_rate(known) or 0.0, median)


def is_outlier(opinions: Mapping[Consistency, int], baseline: float) -> bool:
    """Whether feedback items are contradicted significantly more often than not.

    Chance is the binomial tail at twice the baseline rate, and at one in ten at least:
    three feedback items prove nothing, and where neighbours are bad predictors nobody is an
    outlier.
    """
    contradicted = opinions.get(Consistency.CONTRADICTED, 0)
    known = contradicted + opinions.get(Consistency.AGREES, 0)
    return contradicted * 2 > known and is_significant(contradicted, known, baseline)


def is_significant(contradicted: int, known: int, baseline: float) -> bool:
    """Whether so many contradicted items of those known are more than chance explains."""
    expected = min(1.0, max(MINIMUM_EXPECTED_RATE, BASELINE_MULTIPLE * baseline))
    return binomial_tail(contradicted, known, expected) < SIGNIFICANCE_LEVEL


def binomial_tail(hits: int, trials: int, probability: float) -> float:
    """Probability of at least `hits` in `trials`, each independent with this probability."""
    # Imported by children only, and only where there is something to compare with: 30 MB.
    from scipy.stats import binom

    return float(binom.sf(hits - 1, trials, probability))


def explain_outlier(opinions: Mapping[Consistency, int], baseline: float, whose: str) -> str:
    """A sentence with the figures that the decision rests on."""
    contradicted = opinions.get(Consistency.CONTRADICTED, 0)
    known = contradicted + opinions.get(Consistency.AGREES, 0)
    return (
        f"{whose} contradicts what is known of near-same inputs in {contradicted} of {known} "
        f"cases; usual is {baseline:.0%}"
    )


def _contradiction_rate(opinions: Counter[Consistency]) -> float | None:
    known = opinions[Consistency.CONTRADICTED] + opinions[Consistency.AGREES]
    return opinions[Consistency.CONTRADICTED] / known if known else None
