"""When an agent's level changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.curriculum.pacing import (
    LevelProgress,
    MasteryThresholds,
    add_evidence,
    update_level,
    wilson_interval,
)

MASTERY = MasteryThresholds()
rates = st.floats(0, 1)
levels = st.integers(1, 4)
histories = st.lists(st.tuples(rates, st.integers(0, 400)), max_size=30)


def after(level: int, *evidence: tuple[float, int]) -> LevelProgress:
    """The agent once all evidence is in, its level rated after each piece."""
    progress = LevelProgress(level)
    for rate, rated in evidence:
        progress = update_level(add_evidence(progress, rate, rated, MASTERY), MASTERY)
    return progress


def test_a_level_is_mastered_by_many_right_answers() -> None:
    assert after(1, (0.8, 200)) == LevelProgress(2)


def test_few_answers_prove_nothing() -> None:
    assert after(1, (1.0, 3)).level == 1
    assert after(3, (0.0, 1)).level == 3


def test_small_proofs_add_up() -> None:
    assert after(1, *[(1.0, 3)] * 3).level == 2


def test_an_agent_far_below_its_mastery_falls_back() -> None:
    assert after(3, (0.4, 200)) == LevelProgress(2)


def test_between_losing_and_mastering_a_level_nothing_happens() -> None:
    assert after(2, (0.65, 10_000)).level == 2


@pytest.mark.parametrize(("level", "rate"), [(4, 1.0), (1, 0.0)])
def test_the_scale_has_two_ends(level: int, rate: float) -> None:
    assert after(level, (rate, 10_000)).level == level


def test_old_evidence_fades() -> None:
    progress = add_evidence(LevelProgress(2, correct=500.0, rated=500.0), 0.0, 500, MASTERY)

    assert (progress.success_rate, progress.rated) == (0.5, 500.0)


@given(levels, histories)
def test_a_level_changes_by_one_and_stays_on_the_scale(
    level: int, history: list[tuple[float, int]]
) -> None:
    progress = LevelProgress(level)
    for rate, rated in history:
        before = progress.level
        progress = update_level(add_evidence(progress, rate, rated, MASTERY), MASTERY)
        assert abs(progress.level - before) <= 1
        assert 1 <= progress.level <= 4
        assert 0 <= progress.correct <= progress.rated + 1e-6
        assert progress.rated <= MASTERY.memory + 1e-6


@given(levels, rates)
def test_a_steady_agent_does_not_move_to_and_fro(level: int, rate: float) -> None:
    path = [level]
    progress = LevelProgress(level)
    for _ in range(20):
        progress = update_level(add_evidence(progress, rate, 300, MASTERY), MASTERY)
        path.append(progress.level)

    assert path in (sorted(path), sorted(path, reverse=True))


@given(rates, st.integers(1, 10_000))
def test_the_interval_holds_the_share_and_narrows_with_evidence(share: float, rated: int) -> None:
    low, high = wilson_interval(share * rated, rated)
    wider_low, wider_high = wilson_interval(share, 1)

    assert -1e-9 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1 + 1e-9
    assert high - low <= wider_high - wider_low + 1e-9


def test_the_interval_is_the_published_one() -> None:
    # R. G. Newcombe (1998), table I: 81 of 263 gives 0.2553 to 0.3662.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
