"""When a rater contradicts what is known more often than chance explains."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from services.data_prep.trust.neighbour_consistency import Consistency
from services.data_prep.trust.outliers import binomial_tail, is_outlier


@pytest.mark.parametrize(
    ("contradicted", "agrees", "base", "outlier"),
    [
        (3, 0, 0.0, False),  # too few to decide
        (4, 0, 0.0, True),
        (4, 4, 0.0, False),  # not more often than not
        (8, 1, 0.05, True),
        (8, 1, 0.45, False),  # neighbours are bad predictors here
    ],
)
def test_chance_is_believed_before_malice(
    contradicted: int, agrees: int, base: float, outlier: bool
) -> None:
    said = Counter({Consistency.CONTRADICTED: contradicted, Consistency.AGREES: agrees})

    assert is_outlier(said, base) is outlier


def test_the_tail_of_a_fair_coin() -> None:
    assert binomial_tail(3, 3, 0.5) == pytest.approx(0.125)
    assert binomial_tail(0, 3, 0.5) == pytest.approx(1.0)


@given(st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 1))
def test_the_tail_is_the_binomials_for_any_number_of_trials(
    trials: int, part: float, share: float
) -> None:
    hits = round(part * trials)

    assert binomial_tail(hits, trials, share) == pytest.approx(
        binom.sf(hits - 1, trials, share), rel=1e-6, abs=1e-12
    )


def test_a_unit_with_thousands_of_known_items_is_treated_like_another() -> None:
    said = Counter({Consistency.CONTRADICTED: 9_000, Consistency.AGREES: 1_000})

    assert is_outlier(said, 0.05)
