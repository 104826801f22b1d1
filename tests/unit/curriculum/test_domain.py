"""Plans."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.values import TrainingMethod
from services.curriculum.domain import Level, build_plan, build_stages, choose_replay_share
from tests.support.data.curriculum import plan_curriculum

levels = st.sampled_from(Level)


@given(levels, st.integers(0, 5_000))
def test_stages_go_from_easy_to_all_and_share_all_steps(level: Level, new_items: int) -> None:
    stages = build_stages(level, new_items)

    limits = [stage.maximum_difficulty for stage in stages]
    assert limits == sorted(set(limits))
    assert limits[-1] == 1.0
    assert sum(stage.step_proportion for stage in stages) == pytest.approx(1.0)


@given(levels, st.integers(0, 5_000))
def test_a_stage_opens_as_many_items_as_it_has_steps_for(level: Level, new_items: int) -> None:
    opened = 0.0
    for stage in build_stages(level, new_items):
        assert stage.maximum_difficulty - opened == pytest.approx(stage.step_proportion)
        opened = stage.maximum_difficulty


@pytest.mark.parametrize(("level", "stages"), [(1, 4), (2, 3), (3, 2), (4, 1)])
def test_the_less_an_agent_can_do_the_finer_the_steps(level: int, stages: int) -> None:
    assert len(build_stages(Level(level), 1_000)) == stages


@pytest.mark.parametrize(("new_items", "stages"), [(0, 1), (99, 1), (100, 2), (199, 3), (200, 4)])
def test_few_items_are_taught_in_few_stages(new_items: int, stages: int) -> None:
    assert len(build_stages(Level.BASIC, new_items)) == stages


@pytest.mark.parametrize("method", TrainingMethod)
def test_the_replay_that_a_job_asks_for_wins(method: TrainingMethod) -> None:
    assert choose_replay_share(method, 0.0) == 0.0
    assert choose_replay_share(method, 0.8) == 0.8


def test_only_a_continual_training_replays_unasked() -> None:
    unasked = {method: choose_replay_share(method, None) for method in TrainingMethod}

    assert unasked.pop(TrainingMethod.CONTINUAL) == 0.5
    assert set(unasked.values()) == {0.0}


def test_the_rationale_says_in_words_what_was_decided() -> None:
    plan = build_plan(plan_curriculum(new_items=240), Level.INTERMEDIATE, 0.72)

    assert plan.rationale == (
        "Level 2 (intermediate), 72% of rated answers right: 240 new items in 3 stages, "
        "easiest first; 0.5 replayed per new item (continual)."
    )


def test_the_rationale_admits_what_is_unknown() -> None:
    command = plan_curriculum(new_items=10, replay_ratio=0.0)

    assert build_plan(command, Level.BASIC, None).rationale == (
        "Level 1 (basic), no rated answers yet: 10 new items all at once; "
        "no replay (asked for by the job)."
    )
