"""Levels: the evidence on them, and the rules by which they change."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist

LOWEST_LEVEL = 1
HIGHEST_LEVEL = 4
NORMAL_95 = NormalDist().inv_cdf(0.975)
"""Quantile of the standard normal distribution for a two-sided 95 % interval."""


@dataclass(frozen=True, slots=True)
class MasteryThresholds:
    """Success rates at which levels change. `advance_rates[n]` is that of leaving level n + 1.

    A level is lost at `gap` below the rate that reached it. Between the two rates the level stays
    (hysteresis), so that chance alone does not make it change back and forth.
    """

    advance_rates: tuple[float, float, float] = (0.7, 0.8, 0.9)
    gap: float = 0.2
    # With 500 answers the interval ends at most 4.4 points from the rate, far less than `gap`.
    memory: float = 500.0
    """Largest total weight of rated answers; older ones lose weight as new ones are added."""

    def advance_at(self, level: int) -> float:
        """The rate that ends a level upwards; infinite for the highest one."""
        return self.advance_rates[level - 1] if level < HIGHEST_LEVEL else math.inf

    def regress_at(self, level: int) -> float:
        """The rate below which a level is lost; minus infinity for the lowest one."""
        return self.advance_rates[level - 2] - self.gap if level > LOWEST_LEVEL else -math.inf


@dataclass(frozen=True, slots=True)
class LevelProgress:
    """An agent's level and the evidence on it: rated answers and the correct ones among them."""

    level: int = LOWEST_LEVEL
    correct: float = 0.0
    rated: float = 0.0

    @property
    def success_rate(self) -> float | None:
        """Proportion of correct answers; None before any was rated."""
        return self.correct / self.rated if self.rated else None


def add_evidence(
    progress: LevelProgress, success_rate: float, rated: int, mastery: MasteryThresholds
) -> LevelProgress:
    """Add rated answers to the evidence; its total weight stays within `mastery.memory`."""
    correct = progress.correct + success_rate * rated
    total = progress.rated + rated
    fade = min(1.0, mastery.memory / total) if total else 1.0
    return replace(progress, correct=correct * fade, rated=total * fade)


def update_level(progress: LevelProgress, mastery: MasteryThresholds) -> LevelProgress:
    """The level moved by one or unchanged, by the 95 % interval of the success rate.

    A new level starts without evidence: answers on the old one do not measure the new one.
    """
    low, high = wilson_interval(progress.correct, progress.rated)
    if low >= mastery.advance_at(progress.level):
        return LevelProgress(level=progress.level + 1)
    if high < mastery.regress_at(progress.level):
        return LevelProgress(level=progress.level - 1)
    return progress


def wilson_interval(correct: float, rated: float) -> tuple[float, float]:
    """The 95 % Wilson score interval of a proportion; 0 to 1 without evidence.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    JASA 22 (1927). Counts may be fractions: they are weights. Written out because SciPy takes
    30 MB, which this service process has no other use for; a test compares it with SciPy's.
    """
    if rated <= 0:
        return 0.0, 1.0
    proportion = correct / rated
    z2 = NORMAL_95**2
    centre = (proportion + z2 / (2 * rated)) / (1 + z2 / rated)
    spread = math.sqrt(proportion * (1 - proportion) / rated + z2 / (4 * rated**2))
    half = NORMAL_95 * spread / (1 + z2 / rated)
    return max(0.0, centre - half), min(1.0, centre + half)
