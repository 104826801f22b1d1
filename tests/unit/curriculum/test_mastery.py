"""Levels by skills: what advances, what is lost, and why."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.rules.task_types import LEVEL_OF, TaskType
from services.curriculum.levels import Skill
from services.curriculum.mastery import SkillEvidence, add_evaluation, decide_level, is_mastered
from services.curriculum.pacing import LevelProgress, MasteryThresholds

MASTERY = MasteryThresholds()
counts = st.integers(0, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def evidence(task: TaskType, correct: int, items: int, name: str = "") -> SkillEvidence:
    return add_evaluation(None, Skill(name or task, task), correct, items)


def test_skills_of_the_level_advance_it_without_rated_answers() -> None:
    found = decide_level(LevelProgress(1), [evidence(TaskType.SINGLE_STEP, 90, 100)], MASTERY)

    assert found.progress == LevelProgress(2)
    assert "0.90 right" in found.reason
    assert "masters level 1" in found.reason


def test_a_weak_skill_keeps_the_level_and_is_named() -> None:
    skills = [
        evidence(TaskType.SINGLE_STEP, 290, 300),
        evidence(TaskType.BASIC_REASONING, 10, 40, "refund rules"),
    ]

    found = decide_level(LevelProgress(1), skills, MASTERY)

    assert found.progress.level == 1
    assert "skill refund rules is at 0.25" in found.reason


def test_skills_of_a_higher_level_do_not_count_yet() -> None:
    skills = [evidence(TaskType.COMPLEX_REASONING, 300, 300)]

    assert decide_level(LevelProgress(1), skills, MASTERY).progress == LevelProgress(1)


def test_a_level_is_lost_where_what_was_mastered_is_lost() -> None:
    skills = [evidence(TaskType.SINGLE_STEP, 40, 100)]

    found = decide_level(LevelProgress(2), skills, MASTERY)

    assert found.progress == LevelProgress(1)
    assert "where level 2 is lost" in found.reason


def test_hard_tasks_that_fail_do_not_lose_their_level() -> None:
    skills = [evidence(TaskType.SINGLE_STEP, 90, 100), evidence(TaskType.ERROR_HANDLING, 0, 100)]

    assert decide_level(LevelProgress(2), skills, MASTERY).progress.level == 2


@given(
    st.integers(1, 4),
    st.dictionaries(st.sampled_from(TaskType), counts.filter(lambda c: c[1] > 0)),
    counts,
)
def test_the_same_evidence_never_moves_a_level_back_and_forth(
    level: int, counted: dict[TaskType, tuple[int, int]], rated: tuple[int, int]
) -> None:
    skills = [evidence(task, *count) for task, count in counted.items()]
    path = [level]
    progress = LevelProgress(level, *map(float, rated))
    for _ in range(8):
        progress = decide_level(progress, skills, MASTERY).progress
        path.append(progress.level)

    # Rated answers measure the first level only, so the first step may differ from the later ones.
    assert path[1:] in (sorted(path[1:]), sorted(path[1:], reverse=True))
    assert all(abs(a - b) <= 1 for a, b in pairwise(path))


def test_a_new_evaluation_replaces_the_one_before_and_remembers_the_best() -> None:
    skill = Skill("s", TaskType.SINGLE_STEP)
    found = None
    for correct in (60, 90, 70):
        found = add_evaluation(found, skill, correct, 100)

    assert found is not None
    assert (found.correct, found.previous_rate, found.best_rate, found.evaluations) == (
        70,
        0.9,
        0.9,
        3,
    )


def test_a_skill_is_mastered_by_the_rate_of_its_level() -> None:
    assert is_mastered(evidence(TaskType.SINGLE_STEP, 85, 100), MASTERY)
    assert not is_mastered(evidence(TaskType.COMPLEX_REASONING, 85, 100), MASTERY)
    assert not is_mastered(evidence(TaskType.SINGLE_STEP, 3, 3), MASTERY)


def test_three_task_types_stand_on_each_level() -> None:
    assert sorted(LEVEL_OF.values()) == sorted([1, 2, 3, 4] * 3)
