"""Training plans."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.rules.task_types import CurriculumLevel
from archon_contracts.values import TrainingMethod
from services.curriculum.domain import (
    build_plan,
    build_stages,
    choose_replay_ratio,
    count_stages,
)
from tests.support.data.curriculum import plan_curriculum

levels = st.sampled_from(CurriculumLevel)


@given(st.integers(1, 4))
def test_stages_go_from_easy_to_all_and_share_all_steps(count: int) -> None:
    stages = build_stages(count)

    limits = [stage.maximum_difficulty for stage in stages]
    assert limits == sorted(set(limits))
    assert limits[-1] == 1.0
    assert sum(stage.step_proportion for stage in stages) == pytest.approx(1.0)


@given(st.integers(1, 4))
def test_a_stage_adds_as_many_items_as_it_has_steps_for(count: int) -> None:
    added = 0.0
    for stage in build_stages(count):
        assert stage.maximum_difficulty - added == pytest.approx(stage.step_proportion)
        added = stage.maximum_difficulty


@given(levels, st.integers(0, 5_000))
def test_a_plan_has_one_stage_by_default(level: CurriculumLevel, new_items: int) -> None:
    plan = build_plan(plan_curriculum(new_items=new_items), level, None)

    assert [stage.maximum_difficulty for stage in plan.stages] == [1.0]


def test_a_plan_has_stages_where_the_agents_policy_asks_for_them() -> None:
    plan = build_plan(plan_curriculum(new_items=1_000, staged=True), CurriculumLevel.BASIC, None)

    assert len(plan.stages) == 4


@pytest.mark.parametrize(("level", "stages"), [(1, 4), (2, 3), (3, 2), (4, 1)])
def test_lower_levels_have_more_stages(level: int, stages: int) -> None:
    assert count_stages(CurriculumLevel(level), 1_000) == stages


@pytest.mark.parametrize(("new_items", "stages"), [(0, 1), (99, 1), (100, 2), (199, 3), (200, 4)])
def test_few_items_have_few_stages(new_items: int, stages: int) -> None:
    assert count_stages(CurriculumLevel.BASIC, new_items) == stages


@pytest.mark.parametrize("method", TrainingMethod)
def test_the_replay_ratio_of_the_job_overrides_the_default(method: TrainingMethod) -> None:
    assert choose_replay_ratio(method, 0.0) == 0.0
    assert choose_replay_ratio(method, 0.8) == 0.8


def test_only_a_continual_training_replays_by_default() -> None:
    defaults = {method: choose_replay_ratio(method, None) for method in TrainingMethod}

    assert defaults.pop(TrainingMethod.CONTINUAL) == 0.5
    assert set(defaults.values()) == {0.0}


def test_the_rationale_names_level_stages_and_replay() -> None:
    plan = build_plan(
        plan_curriculum(new_items=240, staged=True), CurriculumLevel.INTERMEDIATE, 0.72
    )

    assert plan.rationale == (
        "Level 2 (intermediate), 72% of rated answers right: 240 new items in 3 stages, "
        "easiest first; 0.5 replayed per new item (continual)."
    )


def test_the_rationale_says_that_no_answer_was_rated() -> None:
    command = plan_curriculum(new_items=10, replay_ratio=0.0)

    assert build_plan(command, CurriculumLevel.BASIC, None).rationale == (
        "Level 1 (basic), no rated answers yet: 10 new items all at once; "
        "no replay (requested by the job)."
    )
