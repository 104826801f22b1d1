"""Items of each skill that were right."""

from archon_contracts.formats import PredictionRow
from services.evaluator.domain import Role
from services.evaluator.scoring.skills import MAX_SKILLS, count_skills


def row(number: int, skill: str, *, correct: bool | None = True) -> PredictionRow:
    return PredictionRow(
        id=str(number),
        skill=skill,
        task_type="single_step_problems",
        output="x",
        score=1.0,
        correct=correct,
    )


def test_items_are_counted_per_model_and_skill() -> None:
    rows = [row(1, "a"), row(2, "a", correct=False), row(3, "b"), row(4, "b", correct=None)]

    found = count_skills({Role.CANDIDATE: rows, Role.DEPLOYED: rows[:1], Role.BASELINE: rows})

    assert [(each.model, each.skill, each.items, each.correct) for each in found] == [
        ("candidate", "a", 2, 1),
        ("candidate", "b", 1, 1),
        ("deployed", "a", 1, 1),
    ]


def test_predictions_of_a_release_without_skills_are_left_out() -> None:
    assert count_skills({Role.CANDIDATE: [row(1, "")]}) == ()


def test_an_event_has_room_for_the_largest_skills() -> None:
    rows = [row(n, f"skill {n}") for n in range(200)] + [row(999, "skill 7")]

    found = count_skills({Role.CANDIDATE: rows})

    assert (len(found), found[0].skill) == (MAX_SKILLS, "skill 7")
