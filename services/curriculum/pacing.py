"""When an agent has mastered its level, and when it has fallen behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

LOWEST_LEVEL = 1
HIGHEST_LEVEL = 4
NORMAL_95 = 1.959963984540054
"""Quantile of the standard normal distribution for a two-sided 95 % interval."""


@dataclass(frozen=True, slots=True)
class Mastery:
    """Success rates that decide. `to_leave[n]` is what mastery of level n + 1 takes.

    An agent falls back from a level when it is `gap` below what reaching that level took: between
    the two nothing happens, so that chance does not move an agent to and fro.
    """

    to_leave: tuple[float, float, float] = (0.7, 0.8, 0.9)
    gap: float = 0.2
    memory: float = 500.0
    """Judged answers that count at most; older ones fade as new ones come."""

    def advance_at(self, level: int) -> float:
        """The rate that masters a level; nothing masters the highest one."""
        return self.to_leave[level - 1] if level < HIGHEST_LEVEL else math.inf

    def regress_at(self, level: int) -> float:
        """The rate below which a level is lost; the lowest one cannot be."""
        return self.to_leave[level - 2] - self.gap if level > LOWEST_LEVEL else -math.inf


@dataclass(frozen=True, slots=True)
class Progress:
    """An agent's level and the evidence on it: judged answers and the right ones among them."""

    level: int = LOWEST_LEVEL
    right: float = 0.0
    judged: float = 0.0

    @property
    def success_rate(self) -> float | None:
        """Share of right answers; None before any was judged."""
        return self.right / self.judged if self.judged else None


def observed(progress: Progress, success_rate: float, judged: int, mastery: Mastery) -> Progress:
    """Add judged answers to the evidence, which never weighs more than `mastery.memory`."""
    right = progress.right + success_rate * judged
    total = progress.judged + judged
    fade = min(1.0, mastery.memory / total) if total else 1.0
    return replace(progress, right=right * fade, judged=total * fade)


def paced(progress: Progress, mastery: Mastery) -> Progress:
    """One level up, one down, or the same, as the evidence shows beyond doubt.

    A new level starts without evidence: what was shown on the old one says nothing about it.
    """
    low, high = interval(progress.right, progress.judged)
    if low >= mastery.advance_at(progress.level):
        return Progress(level=progress.level + 1)
    if high < mastery.regress_at(progress.level):
        return Progress(level=progress.level - 1)
    return progress


def interval(right: float, judged: float) -> tuple[float, float]:
    """The 95 % interval of a share; the whole of 0..1 without evidence.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    JASA 22 (1927). Counts may be fractions: they are weights.
    """
    if judged <= 0:
        return 0.0, 1.0
    share = right / judged
    z2 = NORMAL_95**2
    centre = (share + z2 / (2 * judged)) / (1 + z2 / judged)
    spread = math.sqrt(share * (1 - share) / judged + z2 / (4 * judged**2))
    half = NORMAL_95 * spread / (1 + z2 / judged)
    return max(0.0, centre - half), min(1.0, centre + half)
