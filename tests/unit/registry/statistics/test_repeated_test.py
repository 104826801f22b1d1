"""The lead and its critical value, against SciPy, published tables and simulation."""

import math

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from services.registry.statistics.outcomes import Outcomes
from services.registry.statistics.repeated_test import (
    boundary,
    crossing_probability,
    lowest_critical_value,
    signed_deviance_root,
)


@pytest.mark.parametrize(("control", "treatment"), [((50, 20), (60, 41)), ((30, 29), (40, 31))])
def test_the_lead_is_the_signed_root_of_scipys_likelihood_ratio(
    control: tuple[int, int], treatment: tuple[int, int]
) -> None:
    table = [[good, count - good] for count, good in (control, treatment)]
    expected = chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic

    lead = signed_deviance_root(Outcomes.of_binary(*control), Outcomes.of_binary(*treatment))

    assert lead**2 == pytest.approx(expected)
    assert (lead > 0) == (treatment[1] / treatment[0] > control[1] / control[0])


@pytest.mark.parametrize("good", [0, 7])
def test_arms_that_are_all_wrong_or_all_right_have_no_lead(good: int) -> None:
    arm = Outcomes.of_binary(7, good)

    assert abs(signed_deviance_root(arm, arm)) < 1e-6


def test_swapped_arms_have_the_opposite_lead() -> None:
    one, other = Outcomes.of_binary(40, 10), Outcomes.of_binary(30, 12)

    assert signed_deviance_root(one, other) == pytest.approx(-signed_deviance_root(other, one))


def test_rewards_that_spread_little_count_as_certain() -> None:
    """Means 0.5 and 0.52 of 200 each with deviation 0.1: z is 0.02 / sqrt(2 x 0.01 / 200) = 2."""
    control = Outcomes(200, 100.0, 200 * (0.25 + 0.01))
    treatment = Outcomes(200, 104.0, 200 * (0.52**2 + 0.01))

    assert signed_deviance_root(control, treatment) == pytest.approx(2.0, rel=0.12)


def test_a_lead_of_no_answers_is_none() -> None:
    assert signed_deviance_root(Outcomes(), Outcomes()) == 0


def test_the_critical_value_has_its_probability() -> None:
    value = lowest_critical_value(0.04, 20, 10_000)

    assert crossing_probability(value, 20, 10_000) == pytest.approx(0.04, rel=1e-6)


@pytest.mark.parametrize(("alpha", "first", "last"), [(0.0, 1, 2), (0.6, 1, 2), (0.1, 5, 5)])
def test_a_design_without_looks_or_alpha_is_refused(alpha: float, first: int, last: int) -> None:
    with pytest.raises(ValueError, match=r"alpha|looks"):
        lowest_critical_value(alpha, first, last)


def test_brownian_motion_exceeds_it_as_often_as_it_says() -> None:
    """A walk of 2,000 steps in logarithmic time is an Ornstein-Uhlenbeck process."""
    rng, runs = np.random.default_rng(3), 4000
    steps = math.log(100) / 2000
    lowest = lowest_critical_value(0.05, 1, 100)
    value, exceeded = rng.normal(size=runs), np.zeros(runs, dtype=bool)
    for step in range(2000):
        exceeded |= value >= boundary(lowest, math.exp(step * steps), 1, 100)
        decay = math.exp(-steps / 2)
        value = decay * value + math.sqrt(1 - decay**2) * rng.normal(size=runs)

    # Steps miss some of the excursions of the continuous process.
    assert exceeded.mean() == pytest.approx(0.045, abs=0.009)


def test_the_boundary_is_lowest_at_both_ends_and_highest_between() -> None:
    values = [boundary(3.0, count, 20, 20_000) for count in (20, 632.4555, 20_000)]

    assert values == pytest.approx([3.0, 3.4, 3.0])
