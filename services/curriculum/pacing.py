"""The evidence of rated answers, and the rates at which levels change."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

LOWEST_LEVEL = 1
HIGHEST_LEVEL = 4


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

    def skill_rate(self, level: int) -> float:
        """The rate that masters a skill of a level; level 4 asks for that of level 3."""
        return self.advance_rates[min(level, HIGHEST_LEVEL - 1) - 1]


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
    """Add rated answers to the evidence, of which the older fades exponentially.

    Each new answer multiplies the weight of those before it by 1 - 1 / memory, so that the total
    weight never passes `mastery.memory`.
    """
    kept = (1 - 1 / mastery.memory) ** rated
    # The weights of the new answers, from the newest (1) to the oldest.
    added = mastery.memory * (1 - kept)
    return replace(
        progress,
        correct=progress.correct * kept + success_rate * added,
        rated=progress.rated * kept + added,
    )
