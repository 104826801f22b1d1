"""Means of all answers from those that were scored with a known probability."""

import random

import numpy as np
import pytest

from services.registry.statistics.weighted_outcomes import (
    NOT_WEIGHTED,
    WeightedOutcomes,
    self_normalized_mean,
)


def weigh(outcome: float, propensity: float) -> WeightedOutcomes:
    w = 1 / propensity
    return WeightedOutcomes(1, w, w * w, w * outcome, w * w * outcome, w * w * outcome**2)


def test_the_mean_and_its_error_are_those_of_the_formula_on_each_answer() -> None:
    chance = random.Random(1)
    rows = [(chance.random(), chance.choice([0.05, 0.2, 1.0])) for _ in range(200)]

    found = self_normalized_mean(sum((weigh(*row) for row in rows), NOT_WEIGHTED))

    y, w = np.array([row[0] for row in rows]), np.array([1 / row[1] for row in rows])
    mean = np.average(y, weights=w)
    error = np.sqrt((w**2 * (y - mean) ** 2).sum()) / w.sum()
    assert found is not None
    assert found.value == pytest.approx(mean)
    assert found.high - found.low == pytest.approx(2 * 1.959964 * error)


def test_a_selection_of_unhappy_users_is_corrected() -> None:
    """Of 10,000 answers 80 % are right; wrong ones are reviewed eight times as often."""
    chance = random.Random(2)
    covered, naive = 0, []
    for _ in range(100):
        total, scored = NOT_WEIGHTED, []
        for _ in range(1_000):
            outcome = float(chance.random() < 0.8)
            propensity = 0.05 if outcome else 0.4
            if chance.random() < propensity:
                total += weigh(outcome, propensity)
                scored.append(outcome)
        found = self_normalized_mean(total)
        assert found is not None
        covered += found.low <= 0.8 <= found.high
        naive.append(sum(scored) / len(scored))

    assert covered >= 88  # of 100, where 95 are due
    assert sum(naive) / len(naive) < 0.4


def test_equal_propensities_leave_the_plain_mean_and_nothing_known_is_none() -> None:
    found = self_normalized_mean(weigh(1.0, 0.5) + weigh(0.0, 0.5))

    assert found is not None
    assert found.value == 0.5
    assert self_normalized_mean(NOT_WEIGHTED) is None
