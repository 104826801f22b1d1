"""What the evidence says of an agent's skills and level, and the rules by which the level moves.

Two kinds of evidence: rated answers in production, which fade exponentially, and the newest
evaluation of each skill, which replaces the one before: it asks the same items of a newer version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.curriculum.beta import CONFIDENCE, credible_interval, probability_above
from services.curriculum.levels import Skill
from services.curriculum.pacing import LevelProgress, MasteryThresholds

CERTAIN = (1 + CONFIDENCE) / 2
"""Posterior probability on one side from which a limit counts as passed."""


@dataclass(frozen=True, slots=True)
class SkillEvidence:
    """A skill's newest evaluation, and what the earlier ones found."""

    skill: Skill
    correct: int
    items: int
    previous_rate: float | None = None
    best_rate: float = 0.0
    evaluations: int = 1

    @property
    def rate(self) -> float:
        """Proportion of its items that were right."""
        return self.correct / self.items

    def interval(self) -> tuple[float, float]:
        """The 95 % credible interval of the rate."""
        return credible_interval(self.correct, self.items)


@dataclass(frozen=True, slots=True)
class LevelDecision:
    """The level after the evidence, and why."""

    progress: LevelProgress
    success_rate: float | None
    reason: str


def add_evaluation(
    known: SkillEvidence | None, skill: Skill, correct: int, items: int
) -> SkillEvidence:
    """The evidence on a skill after a further evaluation of it."""
    evidence = SkillEvidence(skill, correct, items, best_rate=correct / items)
    if known is None:
        return evidence
    return replace(
        evidence,
        previous_rate=known.rate,
        best_rate=max(known.best_rate, evidence.rate),
        evaluations=known.evaluations + 1,
    )


def is_mastered(evidence: SkillEvidence, mastery: MasteryThresholds) -> bool:
    """Whether the skill surely reaches the rate that its level asks for."""
    limit = mastery.skill_rate(int(evidence.skill.level))
    return probability_above(limit, evidence.correct, evidence.items) >= CERTAIN


def decide_level(
    progress: LevelProgress, skills: Sequence[SkillEvidence], mastery: MasteryThresholds
) -> LevelDecision:
    """The level moved by one or unchanged.

    Up: the rated answers and the skills of this level together surely reach its rate, and none of
    its skills is surely below it. Down: what had been mastered, the skills of the level below
    and the rated answers, is surely `gap` under the rate that reached this level (hysteresis). A
    new level starts without rated answers: those on the old one do not measure the new one.
    """
    level = progress.level
    own = [each for each in skills if each.skill.level == level]
    below = [each for each in skills if each.skill.level == level - 1]
    lost_at, advance_at = mastery.regress_at(level), mastery.advance_at(level)
    correct, rated = _total(progress, below)
    if rated and level > 1 and probability_above(lost_at, correct, rated) <= 1 - CERTAIN:
        reason = _explain(correct, rated, f"below {lost_at:.2f}, where level {level} is lost")
        return LevelDecision(LevelProgress(level - 1), correct / rated, reason)
    correct, rated = _total(progress, own)
    rate = correct / rated if rated else None
    weak = _weakest_below(own, advance_at)
    if rate is None or probability_above(advance_at, correct, rated) < CERTAIN:
        return LevelDecision(progress, rate, _explain_stay(level, correct, rated, advance_at))
    if weak is not None:
        low, high = weak.interval()
        reason = (
            f"stays on level {level}: skill {weak.skill.name} is at {weak.rate:.2f} "
            f"({low:.2f} to {high:.2f}), surely below {advance_at:.2f}"
        )
        return LevelDecision(progress, rate, reason)
    reason = _explain(correct, rated, f"at or above {advance_at:.2f}, which masters level {level}")
    return LevelDecision(LevelProgress(level + 1), rate, reason)


def _total(progress: LevelProgress, skills: Sequence[SkillEvidence]) -> tuple[float, float]:
    return (
        progress.correct + sum(each.correct for each in skills),
        progress.rated + sum(each.items for each in skills),
    )


def _weakest_below(skills: Sequence[SkillEvidence], limit: float) -> SkillEvidence | None:
    sure = [
        each for each in skills if probability_above(limit, each.correct, each.items) <= 1 - CERTAIN
    ]
    return min(sure, key=lambda each: (each.rate, each.skill.name), default=None)


def _explain(correct: float, rated: float, limit: str) -> str:
    low, high = credible_interval(correct, rated)
    return f"{correct / rated:.2f} right ({low:.2f} to {high:.2f}, {rated:.0f} answers), {limit}"


def _explain_stay(level: int, correct: float, rated: float, advance_at: float) -> str:
    if not rated:
        return f"stays on level {level}: there is no evidence on it yet"
    if advance_at > 1:
        return _explain(correct, rated, f"on the highest level, {level}")
    return _explain(correct, rated, f"not surely at {advance_at:.2f}, so it stays on level {level}")
