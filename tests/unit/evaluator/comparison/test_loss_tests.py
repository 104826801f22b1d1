"""Tests of a loss among many groups, against published values and simulation."""

import random

import pytest
from scipy.stats import binomtest

from archon_contracts.events import PairedComparison
from services.evaluator.comparison.estimates import estimate_paired_difference
from services.evaluator.comparison.loss_tests import (
    adjust_holm,
    compute_loss_p_value,
    estimate_detectable_loss,
)


def pair(n: int, gained: int, lost: int) -> PairedComparison:
    """Candidate and control on `n` items."""
    return PairedComparison(
        difference=estimate_paired_difference(n - gained - lost, gained, lost, 0),
        p_value=1.0,
        candidate_only=gained,
        deployed_only=lost,
    )


def test_holm_multiplies_by_the_tests_that_are_left_and_keeps_the_order() -> None:
    adjusted = adjust_holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})

    # The worked example of R's p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm").
    assert adjusted == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})
    assert adjust_holm({}) == {}


def test_a_loss_is_tested_one_sided() -> None:
    assert compute_loss_p_value(pair(100, 2, 9)) == pytest.approx(
        binomtest(9, 11, 0.5, alternative="greater").pvalue
    )
    assert compute_loss_p_value(pair(100, 0, 0)) == 1.0
    assert compute_loss_p_value(pair(100, 9, 2)) > 0.9


@pytest.mark.parametrize(("n", "differing"), [(225, 12), (500, 40), (1000, 50)])
def test_the_stated_loss_is_found_four_times_in_five(n: int, differing: int) -> None:
    loss = estimate_detectable_loss(pair(n, differing // 2, differing - differing // 2), 0.05)
    rate, chance, found, trials = max(differing / n, loss), random.Random(7), 0, 600
    for _ in range(trials):
        draws = [chance.random() for _ in range(n)]
        lost = sum(draw < (rate + loss) / 2 for draw in draws)
        gained = sum((rate + loss) / 2 <= draw < rate for draw in draws)
        found += compute_loss_p_value(pair(n, gained, lost)) <= 0.05

    # The exact test is a little weaker than the normal approximation behind the figure.
    assert 0.68 <= found / trials <= 0.9


def test_fewer_items_show_only_larger_losses() -> None:
    assert estimate_detectable_loss(pair(30, 1, 1), 0.05) > 0.15
    assert estimate_detectable_loss(pair(3_000, 100, 100), 0.05) < 0.02
