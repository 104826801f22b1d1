"""A default training does not lose a class whose items are all harder than those of another."""

from collections import Counter

from archon_contracts.rules.task_types import CurriculumLevel
from services.curriculum.domain import build_plan
from services.data_prep.sampling.difficulty import grade_difficulty
from services.trainer.recipes.sampling_order import SamplingStage, sample_order
from tests.support.data.curriculum import plan_curriculum
from tests.support.data.datasets import item

SHORT = [item(f"cancel {n}", "cancel") for n in range(100)]
LONG = [
    item(f"the parcel {n} that I ordered last week has still not arrived here", "status")
    for n in range(100)
]


def targets_by_quarter(*, staged: bool) -> list[Counter[str]]:
    """Targets that one epoch samples in each quarter of its steps."""
    items = grade_difficulty([*SHORT, *LONG], {}, {})
    plan = build_plan(
        plan_curriculum(new_items=len(items), staged=staged), CurriculumLevel.BASIC, None
    )
    stages = [SamplingStage(s.maximum_difficulty, s.step_proportion) for s in plan.stages]
    order = sample_order([graded.difficulty for graded in items], len(items), stages, seed=0)
    quarter = len(order) // 4
    return [
        Counter(items[row].item.target for row in order[start : start + quarter])
        for start in range(0, len(order), quarter)
    ]


def test_every_quarter_of_a_default_run_samples_both_classes() -> None:
    assert all(min(c["cancel"], c["status"]) >= 15 for c in targets_by_quarter(staged=False))


def test_the_first_stage_samples_one_class_alone() -> None:
    # The reason for the default: without this the test above would prove nothing.
    assert set(targets_by_quarter(staged=True)[0]) == {"cancel"}
