"""The posterior of a success rate, beside SciPy's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betainc
from scipy.stats import beta

from services.curriculum.beta import credible_interval, incomplete_beta, probability_above

parameters = st.floats(0.5, 5_000)


@given(parameters, parameters, st.floats(0, 1))
def test_the_incomplete_beta_function_equals_the_one_of_scipy(a: float, b: float, x: float) -> None:
    assert incomplete_beta(a, b, x) == pytest.approx(betainc(a, b, x), abs=1e-9)


@pytest.mark.parametrize(("correct", "rated"), [(3, 10), (81, 263), (450, 500), (0.7, 2.5)])
def test_the_interval_is_that_of_jeffreys(correct: float, rated: float) -> None:
    expected = beta.interval(0.95, correct + 0.5, rated - correct + 0.5)

    assert credible_interval(correct, rated) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("correct", "ends"), [(0, (0.0, None)), (7, (None, 1.0))])
def test_nothing_wrong_or_nothing_right_reaches_the_end(
    correct: int, ends: tuple[float | None, float | None]
) -> None:
    found = credible_interval(correct, 7)

    assert [a for a, b in zip(found, ends, strict=True) if b is not None] == [
        b for b in ends if b is not None
    ]


def test_without_evidence_any_rate_is_possible() -> None:
    assert credible_interval(0, 0) == (0.0, 1.0)


@given(st.floats(0, 400), st.floats(0, 400), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_limit_is_passed_less_surely(
    correct: float, wrong: float, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    found = [probability_above(limit, correct, correct + wrong) for limit in (low, high)]

    assert found[0] >= found[1] - 1e-9
    assert all(-1e-9 <= each <= 1 + 1e-9 for each in found)
