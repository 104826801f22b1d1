"""Which skills to practise next, and how much of the practice each should have: pure.

Needs, each 0..1, are added; the largest one gives the reason:
- learning progress: the absolute change of the success rate between two evaluations. A skill that
  changes is one that practice moves (teacher-student bandit: Matiisen et al., "Teacher-Student
  Curriculum Learning", 2017, the window algorithm with a window of one);
- repetition: how far a skill has fallen below its best evaluation: what begins to be lost is
  repeated first, as spaced repetition does;
- coverage: how uncertain a skill's rate still is, so that one with few items is measured;
and how far it is from the rate that its level asks for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from archon_contracts.events import NextTask
from services.curriculum.levels import Skill
from services.curriculum.mastery import SkillEvidence, is_mastered
from services.curriculum.pacing import MasteryThresholds

EXPLORATION: Final = 0.1
"""Part of the practice that is divided equally, so that no skill is lost from sight."""
SETTLED: Final = 0.1
"""Factor of the needs of a skill that is mastered and was not better before."""


@dataclass(frozen=True, slots=True)
class Need:
    """How much a skill should be practised, and why."""

    skill: str
    size: float
    reason: str


def schedule_tasks(
    evidence: Sequence[SkillEvidence],
    without_items: Sequence[Skill],
    level: int,
    mastery: MasteryThresholds,
) -> tuple[NextTask, ...]:
    """The next tasks, most needed first; their proportions sum to one, or there are none.

    Skills above the agent's level wait until it is reached. `without_items` are skills that the
    agent should have and that no evaluation has asked.
    """
    needs = [_need(each, mastery) for each in evidence if each.skill.level <= level]
    needs += [
        Need(skill.name, 1.0, "no evaluation item asks this skill yet")
        for skill in without_items
        if skill.level <= level
    ]
    total = math.fsum(each.size for each in needs)
    if not needs:
        return ()
    equal = 1 / len(needs)
    proportions = {
        each.skill: EXPLORATION * equal
        + (1 - EXPLORATION) * (each.size / total if total > 0 else equal)
        for each in needs
    }
    ordered = sorted(needs, key=lambda each: (-proportions[each.skill], each.skill))
    return tuple(
        NextTask(skill=each.skill, proportion=min(1.0, proportions[each.skill]), reason=each.reason)
        for each in ordered
    )


def _need(evidence: SkillEvidence, mastery: MasteryThresholds) -> Need:
    previous = evidence.rate if evidence.previous_rate is None else evidence.previous_rate
    low, high = evidence.interval()
    found = (
        (
            abs(evidence.rate - previous),
            f"its rate moved from {previous:.2f} to {evidence.rate:.2f}: practice changes it",
        ),
        (
            evidence.best_rate - evidence.rate,
            f"it was at {evidence.best_rate:.2f} and is at {evidence.rate:.2f}: repeat it",
        ),
        (
            high - low,
            f"{evidence.rate:.2f} right of {evidence.items} items ({low:.2f} to {high:.2f})",
        ),
        (
            max(0.0, mastery.skill_rate(int(evidence.skill.level)) - evidence.rate),
            f"{evidence.rate:.2f} right, {mastery.skill_rate(int(evidence.skill.level)):.2f} asked",
        ),
    )
    size, reason = max(found)
    total = math.fsum(part for part, _ in found)
    if is_mastered(evidence, mastery) and evidence.best_rate <= evidence.rate:
        return Need(evidence.skill.name, SETTLED * total, f"mastered: {found[2][1]}")
    return Need(evidence.skill.name, total, reason if size > 0 else found[2][1])
