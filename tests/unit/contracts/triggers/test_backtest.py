"""Replays of histories through trigger policies."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.events import TriggerReason
from archon_contracts.triggers.backtest import (
    FeedbackHistory,
    HistoryHour,
    WorldDrift,
    estimate_drift,
    find_optimum,
    replay,
)
from archon_contracts.values import TriggerPolicy
from tests.support.messaging.messages import NOON

COUNT = TriggerPolicy(minimum_feedback=200, cooldown_seconds=0)
NEVER = TriggerPolicy(minimum_feedback=1_000_000, maximum_feedback=1_000_000)


def history(*wrong: int, deployed: tuple[int, ...] = (), answers: int = 100) -> FeedbackHistory:
    return FeedbackHistory(
        [HistoryHour(NOON + timedelta(hours=n), answers, each) for n, each in enumerate(wrong)],
        [NOON + timedelta(hours=each) for each in deployed],
        training_seconds=60.0,
    )


def test_a_rise_while_a_version_is_deployed_is_the_worlds_and_a_new_version_mends_it() -> None:
    found = estimate_drift(history(5, 5, 25, 25, 5, 5, deployed=(4,)))

    assert found.error == pytest.approx(0.05)
    assert found.moved == pytest.approx([0.0, 0.0, 0.2, 0.2, 0.2, 0.2])


@given(st.lists(st.integers(0, 100), min_size=1, max_size=40), st.sets(st.integers(0, 39)))
def test_the_world_never_moves_back(wrong: list[int], deployed: set[int]) -> None:
    found = estimate_drift(history(*wrong, deployed=tuple(deployed)))

    assert len(found.moved) == len(wrong)
    assert all(b >= a - 1e-12 for a, b in zip(found.moved, found.moved[1:], strict=False))


def test_the_count_policy_retrains_at_each_minimum_and_pays_for_it() -> None:
    flat = WorldDrift(0.05, [0.0] * 10)

    found = replay("count", COUNT, history(*[5] * 10), flat, price_seconds=1.0)

    assert [each.unused for each in found.retrains] == [200] * 5
    assert (found.training_seconds, found.regret_seconds) == (300.0, 0.0)
    assert found.accuracy == pytest.approx(0.95)


def test_a_version_keeps_answering_while_the_next_one_is_trained() -> None:
    moving = WorldDrift(0.0, [0.0, 0.0, 0.5, 0.5, 0.5, 0.5])

    found = replay("count", COUNT, history(*[0] * 6), moving, price_seconds=1.0)
    never = replay("never", NEVER, history(*[0] * 6), moving, price_seconds=1.0)

    # Of the 400 answers after the jump at most the 200 until the next window and some more.
    assert 0 < found.regret_seconds < never.regret_seconds == pytest.approx(200.0)


def test_the_optimum_retrains_once_after_a_jump() -> None:
    jump = WorldDrift(0.05, [0.0] * 5 + [0.4] * 5)

    found = find_optimum(history(*[5] * 10), jump, price_seconds=10.0)

    assert [each.at for each in found.retrains] == [NOON + timedelta(hours=5)]
    assert (found.training_seconds, found.regret_seconds) == (60.0, pytest.approx(0.0))


@given(st.lists(st.floats(0, 0.2), min_size=2, max_size=30), st.floats(0.1, 20))
def test_no_policy_is_better_than_the_optimum(steps: list[float], price: float) -> None:
    moved = [min(0.9, sum(steps[: n + 1])) for n in range(len(steps))]
    world, seen = WorldDrift(0.05, moved), history(*[5] * len(steps))

    best = find_optimum(seen, world, price_seconds=price)

    for policy in (COUNT, NEVER):
        found = replay("x", policy, seen, world, price_seconds=price)
        assert found.total_seconds >= best.total_seconds - 1e-6


def test_risen_errors_are_found_in_a_replay() -> None:
    jump = WorldDrift(0.02, [0.0] * 10 + [0.4] * 10)
    policy = NEVER.model_copy(update={"error_rise": 0.1})

    found = replay("drift", policy, history(*[2] * 20), jump, price_seconds=1.0)

    assert [each.reason for each in found.retrains] == [TriggerReason.DRIFT]
