"""Proportions, medians and paired tests with their intervals, from scipy.

scipy is imported here, so only child processes may import this module. Of it `special` alone:
`scipy.stats` has the same tests, but its import takes 22 MB of every fork server and 0.3 s.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Final

from scipy.special import bdtr, bdtrik, ndtri

from archon_contracts.values import Estimate
from services.evaluator.errors import Unscorable

Z_95: Final = float(ndtri(0.975))
"""Two-sided 95 % of the normal distribution."""


def estimate_proportion(successes: int, n: int) -> Estimate:
    """A proportion with its 95 % score interval (Wilson 1927, Journal of the ASA 22, 209-212).

    Raises:
        Unscorable: n is zero; a proportion of nothing would be made up.
    """
    if n < 1:
        raise Unscorable("A proportion of no items does not exist.")
    value = successes / n
    low, high = compute_wilson_interval(value, n)
    return Estimate(value=value, low=low, high=high, n=n)


def compute_wilson_interval(value: float, n: int) -> tuple[float, float]:
    """Ends of Wilson's 95 % score interval of a proportion `value` (0 to 1) of `n` items."""
    middle = (value + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
    spread = math.sqrt(value * (1 - value) / n + Z_95**2 / (4 * n**2)) / (1 + Z_95**2 / n)
    # Rounding must not push the interval past the proportion itself at 0 and 1.
    low = max(0.0, min(middle - Z_95 * spread, value))
    return low, min(1.0, max(middle + Z_95 * spread, value))


def estimate_median(values: Sequence[float]) -> Estimate:
    """A median with its 95 % interval between order statistics, free of distribution.

    Source: Conover 1999, Practical Nonparametric Statistics, section 3.2.
    """
    ordered, n = sorted(values), len(values)
    # The number of values below the median is binomial; with few values the interval is the range.
    rank = max(0, _binomial_quantile(0.025, n) - 1)
    return Estimate(
        value=statistics.median(ordered), low=ordered[rank], high=ordered[n - 1 - rank], n=n
    )


def compute_mcnemar_p_value(candidate_only: int, control_only: int) -> float:
    """Two-sided exact p of McNemar's test: a binomial test of the items that differ.

    Source: McNemar 1947, Psychometrika 12, 153-157; exact form of Edwards 1948.
    """
    differing = candidate_only + control_only
    if not differing:
        return 1.0
    # At one half the distribution is symmetric: both tails are as long as the shorter one.
    return min(1.0, 2 * float(bdtr(min(candidate_only, control_only), differing, 0.5)))


def _binomial_quantile(probability: float, n: int) -> int:
    """The smallest number of successes in `n` tosses of a coin that has at least this `bdtr`."""
    # The inverse is continuous; rounding up may pass the quantile by one.
    above = math.ceil(float(bdtrik(probability, n, 0.5)))
    below = max(above - 1, 0)
    return below if float(bdtr(below, n, 0.5)) >= probability else above


def estimate_paired_difference(
    both: int, candidate_only: int, control_only: int, neither: int
) -> Estimate:
    """Candidate's proportion minus the control's, with a 95 % interval for paired proportions.

    Neither scipy nor statsmodels has this interval for pairs.
    Source: Newcombe 1998, Statistics in Medicine 17, 2635-2650, method 10.
    """
    n = both + candidate_only + control_only + neither
    ours = estimate_proportion(both + candidate_only, n)
    theirs = estimate_proportion(both + control_only, n)
    value = (candidate_only - control_only) / n
    phi = _phi(both, candidate_only, control_only, neither)
    below = _combine_margins(ours.value - ours.low, theirs.high - theirs.value, phi)
    above = _combine_margins(ours.high - ours.value, theirs.value - theirs.low, phi)
    return Estimate(value=value, low=max(-1.0, value - below), high=min(1.0, value + above), n=n)


def _combine_margins(first: float, second: float, phi: float) -> float:
    # Never below zero but for rounding: |phi| <= 1.
    return math.sqrt(max(0.0, first**2 - 2 * phi * first * second + second**2))


def _phi(both: int, candidate_only: int, control_only: int, neither: int) -> float:
    """Correlation of the two outcomes; a positive one is corrected for continuity."""
    margins = (
        (both + candidate_only)
        * (control_only + neither)
        * (both + control_only)
        * (candidate_only + neither)
    )
    # Undefined where one of them is always right or always wrong; the method then takes 0.
    if margins == 0:
        return 0.0
    excess = float(both * neither - candidate_only * control_only)
    if excess > 0:
        excess = max(0.0, excess - (both + candidate_only + control_only + neither) / 2)
    return excess / math.sqrt(margins)
