"""When an agent has mastered its level, and when it has fallen behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

LOWEST_LEVEL = 1
HIGHEST_LEVEL = 4
NORMAL_95 = 1.959963984540054
"""Quantile of the standard normal distribution for a two-sided 95 % interval."""


@dataclass(frozen=True, slots=True)
class MasteryThresholds:
    """Success rates that decide. `advance_rates[n]` is what mastery of level n + 1 takes.

    An agent falls back from a level when it is `gap` below what reaching that level took: between
    the two nothing happens, so that chance does not move an agent to and fro.
    """

    advance_rates: tuple[float, float, float] = (0.7, 0.8, 0.9)
    gap: float = 0.2
    memory: float = 500.0
    """Judged answers that count at most; older ones fade as new ones come."""

    def advance_at(self, level: int) -> float:
        """The rate that masters a level; nothing masters the highest one."""
        return self.advance_rates[level - 1] if level < HIGHEST_LEVEL else math.inf

    def regress_at(self, level: int) -> float:
        """The rate below which a level is lost; the lowest one cannot be."""
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
    """Add rated answers to the evidence, which never weighs more than `mastery.memory`."""
    correct = progress.correct + success_rate * rated
    total = progress.rated + rated
    fade = min(1.0, mastery.memory / total) if total else 1.0
    return replace(progress, correct=correct * fade, rated=total * fade)


def update_level(progress: LevelProgress, mastery: MasteryThresholds) -> LevelProgress:
    """One level up, one down, or the same, as the evidence shows beyond doubt.

    A new level starts without evidence: what was shown on the old one says nothing about it.
    """
    low, high = wilson_interval(progress.correct, progress.rated)
    if low >= mastery.advance_at(progress.level):
        return LevelProgress(level=progress.level + 1)
    if high < mastery.regress_at(progress.level):
        return LevelProgress(level=progress.level - 1)
    return progress


def wilson_interval(correct: float, rated: float) -> tuple[float, float]:
    """The 95 % interval of a proportion; the whole of 0..1 without evidence.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    JASA 22 (1927). Counts may be fractions: they are weights.
    """
    if rated <= 0:
        return 0.0, 1.0
    proportion = correct / rated
    z2 = NORMAL_95**2
    centre = (proportion + z2 / (2 * rated)) / (1 + z2 / rated)
    spread = math.sqrt(proportion * (1 - proportion) / rated + z2 / (4 * rated**2))
    half = NORMAL_95 * spread / (1 + z2 / rated)
    return max(0.0, centre - half), min(1.0, centre + half)
