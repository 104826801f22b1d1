"""Confidence sequences: intervals that hold at all moments together."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from services.registry.statistics.outcomes import Outcomes, square_root


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its bounds."""

    value: float
    low: float
    high: float


def difference(control: Outcomes, treatment: Outcomes) -> float:
    """The treatment's mean outcome minus the control's."""
    return treatment.mean - control.mean


def standard_error(control: Outcomes, treatment: Outcomes) -> float:
    """Of the difference of means, arms' variances apart.

    Each variance is that of the arm with one more outcome of 0 and one of 1 (as the intervals of
    Agresti and Caffo, 2000): a handful of equal outcomes has no variance of 0.
    """
    return square_root(mean_variance(control) + mean_variance(treatment))


def mean_variance(outcomes: Outcomes) -> float:
    """Of the arm's mean outcome; vast where there is no outcome."""
    return _variance(outcomes) / (outcomes.count + 1e-12)


def _variance(outcomes: Outcomes) -> float:
    count, mean = outcomes.count + 2, outcomes.smoothed_mean(1)
    return (outcomes.squares + 1) / count - mean * mean


def mixture_precision(tuned_at: float, alpha: float) -> float:
    """rho squared for which the sequence is tightest at `tuned_at` outcomes.

    Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), "Time-uniform central limit theory and
    asymptotic confidence sequences", Annals of Statistics 52(6) (arXiv:2103.06476), section 2:
    (-2 log alpha + log(-2 log alpha + 1)) / t.
    """
    twice = -2 * math.log(alpha)
    return (twice + math.log(twice + 1)) / tuned_at


def asymptotic_radius(
    count: float, alpha: float, tuned_at: float, log: Callable[[float], float] = math.log
) -> float:
    """Half the width of the two-sided asymptotic sequence, in standard errors of the estimate.

    Theorem 2.2 of the same: the radius for a mean of t outcomes with standard deviation s is
    s sqrt((t rho^2 + 1) / (t^2 rho^2) log((t rho^2 + 1) / alpha^2)); this is it over s / sqrt(t).
    """
    scaled = count * mixture_precision(tuned_at, alpha)
    return square_root((scaled + 1) / scaled * log((scaled + 1) / alpha**2))


def asymptotic_sequence(
    control: Outcomes, treatment: Outcomes, alpha: float, tuned_at: float
) -> Interval:
    """The difference of means with bounds that hold at all moments, for ever (asymptotically)."""
    error = standard_error(control, treatment)
    radius = asymptotic_radius(control.count + treatment.count, alpha, tuned_at) * error
    value = difference(control, treatment)
    return Interval(value, max(-1.0, value - radius), min(1.0, value + radius))
