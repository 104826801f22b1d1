"""The posterior distribution of a success rate.

Written out because SciPy takes 30 MB, which this service process has no other use for; tests
compare every function with SciPy's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

PRIOR: Final = 0.5
"""Both parameters of the prior: Jeffreys'."""
CONFIDENCE: Final = 0.95
MAX_TERMS: Final = 500
PRECISION: Final = 1e-12
SMALLEST: Final = 1e-300


def probability_above(rate: float, correct: float, rated: float) -> float:
    """The probability that the true success rate lies above `rate`, after these answers.

    Beta(correct + 1/2, rated - correct + 1/2): Gelman et al., "Bayesian Data Analysis" (2013),
    2.4 and 2.8. Counts may be fractions: they are weights.
    """
    if rate <= 0:
        return 1.0
    if rate >= 1:
        return 0.0
    wrong = max(0.0, rated - correct)
    return 1.0 - incomplete_beta(correct + PRIOR, wrong + PRIOR, rate)


def credible_interval(correct: float, rated: float) -> tuple[float, float]:
    """The equal-tailed 95 % interval of the rate; 0 to 1 without evidence.

    Its end is 0 where nothing was right and 1 where nothing was wrong, as Brown, Cai and DasGupta
    advise ("Interval estimation for a binomial proportion", Statistical Science 16, 2001).
    """
    if rated <= 0:
        return 0.0, 1.0
    tail = (1 - CONFIDENCE) / 2
    low = 0.0 if correct <= 0 else _bisect(lambda x: probability_above(x, correct, rated), 1 - tail)
    high = (
        1.0 if correct >= rated else _bisect(lambda x: probability_above(x, correct, rated), tail)
    )
    return low, high


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b), for a, b > 0 and 0 <= x <= 1.

    Source: NIST Digital Library of Mathematical Functions, 8.17.22 (continued fraction) and 8.17.4
    (symmetry, taken where the fraction converges fast), by Lentz' method.
    """
    if x in (0.0, 1.0):
        return x
    if x > (a + 1) / (a + b + 2):
        return 1.0 - incomplete_beta(b, a, 1.0 - x)
    log_front = a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b)
    log_front -= math.lgamma(a) + math.lgamma(b)
    return math.exp(log_front) * _continued_fraction(a, b, x) / a


def _continued_fraction(a: float, b: float, x: float) -> float:
    fraction = c = 1.0
    d = 0.0
    for step in range(1, MAX_TERMS):
        m = step // 2
        if step % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1.0 / _nonzero(1.0 + term * d)
        c = _nonzero(1.0 + term / c)
        fraction *= c * d
        if abs(c * d - 1.0) < PRECISION:
            break
    return 1.0 / fraction


def _nonzero(value: float) -> float:
    return value if abs(value) > SMALLEST else SMALLEST


def _bisect(falling: Callable[[float], float], level: float) -> float:
    """Where a falling function of 0..1 crosses a level."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > level else (low, middle)
    return (low + high) / 2
