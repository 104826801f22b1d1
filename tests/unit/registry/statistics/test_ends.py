"""Futility, and estimates of what was stopped for its lead."""

import numpy as np
import pytest
from scipy.stats import norm

from services.registry.statistics.futility import distance_from_decision, is_futile
from services.registry.statistics.outcomes import Outcomes
from services.registry.statistics.repeated_test import signed_deviance_root
from services.registry.statistics.stopped_estimates import corrected_difference, stopped_estimate

LAST, CRITICAL = 1000, 3.0


def _futile(control: Outcomes, treatment: Outcomes) -> bool:
    lead = signed_deviance_root(control, treatment)
    return bool(is_futile(control, treatment, lead, CRITICAL, LAST))


def test_the_power_is_that_of_brownian_motion_with_the_kindest_drift() -> None:
    """Half-way with equal arms: B = 0, the drift is 1.6449 / sqrt(0.5), half a time is left."""
    arm = Outcomes.of_binary(250, 125)

    quantile = distance_from_decision(arm, arm, 0.0, CRITICAL, LAST)

    expected = (1.6449 / 0.5**0.5 * 0.5 - CRITICAL) / 0.5**0.5
    assert quantile == pytest.approx(expected, abs=1e-4)
    assert norm.cdf(quantile) < 0.05


def test_an_experiment_that_cannot_win_any_more_is_futile() -> None:
    assert _futile(Outcomes.of_binary(400, 280), Outcomes.of_binary(400, 270))


def test_an_experiment_that_leads_or_has_just_begun_is_not() -> None:
    assert not _futile(Outcomes.of_binary(400, 240), Outcomes.of_binary(400, 285))
    assert not _futile(Outcomes.of_binary(20, 14), Outcomes.of_binary(20, 10))
    assert not _futile(Outcomes(), Outcomes())


def test_the_correction_takes_most_of_the_luck_out_of_what_stopped() -> None:
    """Walks with a drift that stop at |Z| >= 3: their mean estimate, before and after."""
    rng, drift = np.random.default_rng(4), 0.2
    sums = np.cumsum(rng.normal(drift, 1.0, size=(2000, 2000)), axis=1)
    times = np.arange(1, 2001)
    over = sums / np.sqrt(times) >= CRITICAL
    over[:, :9] = False
    place = over.argmax(axis=1)
    estimates = sums[np.arange(2000), place] / times[place]

    luck = estimates.mean() - drift
    left = np.mean([corrected_difference(each, CRITICAL) for each in estimates]) - drift
    assert over.any(axis=1).all()
    assert luck > 0.03
    assert abs(left) < 0.5 * luck


def test_a_corrected_estimate_lies_in_its_bounds() -> None:
    interval = stopped_estimate(Outcomes.of_binary(100, 50), Outcomes.of_binary(100, 75), CRITICAL)

    assert interval.low < interval.value < 0.25 < interval.high
