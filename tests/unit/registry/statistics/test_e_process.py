"""The E-process of harm: the paper's formula, its bound, and what counts as evidence."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registry.statistics.e_process import HarmProcess, expected_rates, log_e_value
from services.registry.statistics.outcomes import Outcomes

rates = st.floats(0.01, 0.99)


def test_a_block_has_the_papers_e_value() -> None:
    log_e = log_e_value(Outcomes.of_binary(2, 1), Outcomes.of_binary(1, 1), 0.4, 0.7)

    null = (2 * 0.4 + 0.7) / 3
    assert math.exp(log_e) == pytest.approx(0.4 * 0.6 * 0.7 / (null**2 * (1 - null)))


@given(truth=rates, control_rate=rates, treatment_rate=rates)
def test_blocks_of_equal_arms_have_an_expectation_of_at_most_one(
    truth: float, control_rate: float, treatment_rate: float
) -> None:
    expectation = 0.0
    for control, treatment in product(range(3), range(4)):
        chance = _binomial(2, control, truth) * _binomial(3, treatment, truth)
        blocks = Outcomes.of_binary(2, control), Outcomes.of_binary(3, treatment)
        expectation += chance * math.exp(log_e_value(*blocks, control_rate, treatment_rate))

    assert expectation <= 1 + 1e-9


@given(control=rates, lead=st.floats(0, 0.5), feared=rates)
def test_a_better_treatment_gives_no_evidence_of_harm(
    control: float, lead: float, feared: float
) -> None:
    treatment, alternative = min(control + lead, 1.0), min(feared, 0.8)
    expectation = sum(
        _binomial(1, c, control)
        * _binomial(1, t, treatment)
        * math.exp(
            log_e_value(Outcomes.of_binary(1, c), Outcomes.of_binary(1, t), 0.8, alternative)
        )
        for c, t in product(range(2), range(2))
    )

    assert expectation <= 1 + 1e-9


@given(mean=st.floats(0.2, 0.8), spread=st.floats(0, 0.2), rate=rates)
def test_bounded_outcomes_keep_the_bound(mean: float, spread: float, rate: float) -> None:
    values = (mean - spread, mean + spread)
    expectation = np.mean(
        [
            math.exp(log_e_value(Outcomes(1, c, c * c), Outcomes(1, t, t * t), 0.8, rate))
            for c, t in product(values, values)
        ]
    )

    assert expectation <= 1 + 1e-9


def test_one_arms_outcomes_wait_for_the_other() -> None:
    process = HarmProcess().add(Outcomes.of_binary(5, 5), Outcomes())

    assert process.log_e == 0
    assert process.waiting_control.count == 5
    assert process.add(Outcomes(), Outcomes.of_binary(5, 0)).control.count == 5


def test_rates_come_from_earlier_blocks_and_never_fear_the_better() -> None:
    control, treatment = expected_rates(Outcomes.of_binary(10, 3), Outcomes.of_binary(10, 9))

    assert control == treatment == pytest.approx((3 + 0.18) / (10 + 0.36))


def test_harm_is_shown_and_the_opposite_is_not() -> None:
    worse, better = HarmProcess(), HarmProcess()
    for _ in range(20):
        good, bad = Outcomes.of_binary(5, 4), Outcomes.of_binary(5, 1)
        worse, better = worse.add(good, bad), better.add(bad, good)

    assert worse.shows_harm(0.01)
    assert better.log_e <= 0


def test_equal_arms_show_harm_no_more_often_than_alpha() -> None:
    rng, shown = np.random.default_rng(5), 0
    for _ in range(200):
        process = HarmProcess()
        for control, treatment in rng.binomial(4, 0.7, size=(60, 2)):
            process = process.add(Outcomes.of_binary(4, control), Outcomes.of_binary(4, treatment))
            if process.shows_harm(0.1):
                shown += 1
                break

    assert shown <= 30  # 20 are expected at most; more has a probability of 0.8 %


def _binomial(count: int, successes: int, rate: float) -> float:
    return math.comb(count, successes) * rate**successes * (1 - rate) ** (count - successes)
