"""Rules by which levels change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.curriculum.mastery import decide_level
from services.curriculum.pacing import LevelProgress, MasteryThresholds, add_evidence

MASTERY = MasteryThresholds()
rates = st.floats(0, 1)
levels = st.integers(1, 4)
histories = st.lists(st.tuples(rates, st.integers(0, 400)), max_size=30)


def update_level(progress: LevelProgress) -> LevelProgress:
    """The level by rated answers alone."""
    return decide_level(progress, (), MASTERY).progress


def after(level: int, *evidence: tuple[float, int]) -> LevelProgress:
    """The agent once all evidence is in, its level rated after each piece."""
    progress = LevelProgress(level)
    for rate, rated in evidence:
        progress = update_level(add_evidence(progress, rate, rated, MASTERY))
    return progress


def test_many_correct_answers_raise_the_level() -> None:
    assert after(1, (0.8, 200)) == LevelProgress(2)


def test_few_answers_do_not_change_the_level() -> None:
    assert after(1, (1.0, 3)).level == 1
    assert after(3, (0.0, 1)).level == 3


def test_evidence_of_several_jobs_adds_up() -> None:
    assert after(1, *[(1.0, 3)] * 3).level == 2


def test_a_success_rate_far_below_the_threshold_lowers_the_level() -> None:
    assert after(3, (0.4, 200)) == LevelProgress(2)


def test_a_rate_between_both_thresholds_keeps_the_level() -> None:
    assert after(2, (0.65, 10_000)).level == 2


@pytest.mark.parametrize(("level", "rate"), [(4, 1.0), (1, 0.0)])
def test_levels_stay_between_lowest_and_highest(level: int, rate: float) -> None:
    assert after(level, (rate, 10_000)).level == level


def test_old_evidence_loses_weight() -> None:
    progress = add_evidence(LevelProgress(2, correct=500.0, rated=500.0), 0.0, 500, MASTERY)

    # 500 answers with a memory of 500 leave (1 - 1/500)^500 of what was there.
    assert progress.rated == pytest.approx(500.0)
    assert progress.success_rate == pytest.approx(0.998**500)


@given(levels, histories)
def test_a_level_changes_by_at_most_one(level: int, history: list[tuple[float, int]]) -> None:
    progress = LevelProgress(level)
    for rate, rated in history:
        before = progress.level
        progress = update_level(add_evidence(progress, rate, rated, MASTERY))
        assert abs(progress.level - before) <= 1
        assert 1 <= progress.level <= 4
        assert 0 <= progress.correct <= progress.rated + 1e-6
        assert progress.rated <= MASTERY.memory + 1e-6


@given(levels, rates)
def test_a_constant_success_rate_moves_the_level_in_one_direction_only(
    level: int, rate: float
) -> None:
    path = [level]
    progress = LevelProgress(level)
    for _ in range(20):
        progress = update_level(add_evidence(progress, rate, 300, MASTERY))
        path.append(progress.level)

    assert path in (sorted(path), sorted(path, reverse=True))
