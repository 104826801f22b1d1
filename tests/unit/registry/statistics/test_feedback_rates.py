"""The test of two feedback rates."""

import pytest
from scipy.stats import chi2_contingency

from services.registry.statistics.feedback_rates import rates_differ_p_value


@pytest.mark.parametrize(
    ("scored", "answers"), [((30, 60), (1000, 1000)), ((5, 9), (50, 40)), ((100, 400), (900, 4000))]
)
def test_the_p_value_is_that_of_a_chi_squared_test_without_correction(
    scored: tuple[int, int], answers: tuple[int, int]
) -> None:
    table = [[n, total - n] for n, total in zip(scored, answers, strict=True)]
    expected = chi2_contingency(table, correction=False).pvalue

    found = rates_differ_p_value(scored[0], answers[0], scored[1], answers[1])

    assert found == pytest.approx(expected)


def test_an_arm_without_answers_has_no_rate() -> None:
    assert rates_differ_p_value(3, 10, 0, 0) is None


def test_more_feedback_than_answers_is_a_rate_of_one() -> None:
    assert rates_differ_p_value(30, 10, 20, 10) == 1.0
