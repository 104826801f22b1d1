"""Confidence sequences, against the paper's formula and another implementation."""

import math

import numpy as np
import pytest
from ville import normal_mixture

from services.registry.statistics.outcomes import Outcomes
from services.registry.statistics.sequences import (
    asymptotic_radius,
    asymptotic_sequence,
    difference,
    mixture_precision,
    standard_error,
)


@pytest.mark.parametrize("count", [20, 500, 40_000])
def test_the_radius_is_the_papers_and_that_of_ville(count: int) -> None:
    """`ville` has the mixture's precision in units of time: 1 / rho^2; its radius is u(t) / t."""
    squared = mixture_precision(500, 0.05)
    expected = normal_mixture(count, 0.05, 1 / squared) / math.sqrt(count)

    assert asymptotic_radius(count, 0.05, 500) == pytest.approx(float(expected))


def test_the_precision_makes_the_radius_smallest_where_it_is_tuned() -> None:
    tuned = asymptotic_radius(700, 0.05, 700)

    assert tuned <= min(asymptotic_radius(700, 0.05, at) for at in (100, 350, 1400, 5000))
    # The paper's closed form is an approximation of the best one.
    assert tuned == pytest.approx(
        min(asymptotic_radius(700, 0.05, at) for at in range(400, 1200)), rel=1e-3
    )


def test_the_error_of_a_difference_is_that_of_large_samples() -> None:
    control, treatment = Outcomes.of_binary(4000, 2000), Outcomes.of_binary(2000, 500)

    expected = math.sqrt(0.25 / 4000 + 0.1875 / 2000)
    assert standard_error(control, treatment) == pytest.approx(expected, rel=2e-3)
    assert difference(control, treatment) == pytest.approx(-0.25)


def test_equal_outcomes_have_an_error() -> None:
    assert standard_error(Outcomes.of_binary(5, 5), Outcomes.of_binary(5, 5)) > 0.1


def test_a_sequence_holds_the_truth_at_every_look() -> None:
    rng, missed = np.random.default_rng(9), 0
    for _ in range(100):
        outcomes = rng.random((500, 2)) < (0.5, 0.6)
        sums = outcomes.cumsum(axis=0)
        for count in range(20, 501, 20):
            arms = [Outcomes.of_binary(count, float(total)) for total in sums[count - 1]]
            interval = asymptotic_sequence(*arms, alpha=0.05, tuned_at=200)
            if not interval.low <= 0.1 <= interval.high:
                missed += 1
                break

    assert missed <= 5
