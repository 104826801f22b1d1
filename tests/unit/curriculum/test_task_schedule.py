"""Which skills are practised next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.rules.task_types import TaskType
from services.curriculum.levels import Skill
from services.curriculum.mastery import SkillEvidence
from services.curriculum.pacing import MasteryThresholds
from services.curriculum.task_schedule import EXPLORATION, schedule_tasks

MASTERY = MasteryThresholds()


def skill(
    name: str, correct: int, before: float | None = None, best: float | None = None
) -> SkillEvidence:
    return SkillEvidence(
        Skill(name, TaskType.SINGLE_STEP),
        correct,
        100,
        before,
        correct / 100 if best is None else best,
    )


def first(*skills: SkillEvidence) -> tuple[str, str]:
    found = schedule_tasks(skills, (), 1, MASTERY)[0]
    return found.skill, found.reason


def test_what_begins_to_be_lost_comes_first() -> None:
    assert first(skill("steady", 80), skill("falling", 60, 0.6, 0.95)) == (
        "falling",
        "it was at 0.95 and is at 0.60: repeat it",
    )


def test_what_practice_changes_comes_before_what_stays() -> None:
    assert first(skill("stuck", 50, 0.5), skill("learning", 50, 0.1))[0] == "learning"


def test_a_skill_without_items_is_asked_for() -> None:
    missing = Skill("refunds", TaskType.SINGLE_STEP)

    found = schedule_tasks([skill("a", 95)], [missing], 1, MASTERY)

    assert (found[0].skill, found[0].reason) == (
        "refunds",
        "no evaluation item asks this skill yet",
    )


def test_skills_above_the_level_wait() -> None:
    hard = Skill("hard", TaskType.COMPLEX_REASONING)

    assert schedule_tasks([], [hard], 2, MASTERY) == ()
    assert schedule_tasks([], [hard], 3, MASTERY)[0].skill == "hard"


@given(st.lists(st.tuples(st.integers(0, 100), st.floats(0, 1), st.floats(0, 1)), max_size=8))
def test_the_parts_sum_to_one_and_none_is_lost_from_sight(
    rows: list[tuple[int, float, float]],
) -> None:
    skills = [
        skill(str(n), right, before, max(best, right / 100))
        for n, (right, before, best) in enumerate(rows)
    ]

    found = schedule_tasks(skills, (), 4, MASTERY)

    assert len(found) == len(rows)
    if found:
        assert sum(each.proportion for each in found) == pytest.approx(1.0)
        assert min(each.proportion for each in found) >= EXPLORATION / len(rows) - 1e-9
