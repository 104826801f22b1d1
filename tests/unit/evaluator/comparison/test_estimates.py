import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from services.evaluator.comparison.estimates import (
    compute_mcnemar_p_value,
    estimate_median,
    estimate_paired_difference,
    estimate_proportion,
)
from services.evaluator.errors import Unscorable

cells = st.integers(0, 400)
counts = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
seconds = st.lists(st.floats(0.001, 10), min_size=1, max_size=60)


@given(cells, cells)
def test_mcnemars_p_is_that_of_the_exact_binomial_test(ours: int, theirs: int) -> None:
    assume(ours + theirs > 0)

    expected = binomtest(ours, ours + theirs, 0.5).pvalue

    assert compute_mcnemar_p_value(ours, theirs) == pytest.approx(expected, rel=1e-6)


def test_models_that_never_differ_give_no_evidence() -> None:
    assert compute_mcnemar_p_value(0, 0) == 1


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        # Published examples: Newcombe 1998, Statistics in Medicine 17, 2635-2650, table II, column
        # of method 10, with the cells both, candidate only, control only, neither.
        ((36, 12, 2, 0), 0.0569, 0.3404),
        ((20, 12, 2, 16), 0.0562, 0.3292),
        ((0, 8, 0, 2), None, None),
    ],
)
def test_the_interval_of_a_paired_difference_is_newcombes(
    table: tuple[int, int, int, int], low: float | None, high: float | None
) -> None:
    found = estimate_paired_difference(*table)

    assert found.low <= found.value <= found.high
    if low is not None:
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@given(cells, cells, cells, cells)
def test_a_paired_interval_contains_its_difference_and_mirrors(
    a: int, b: int, c: int, d: int
) -> None:
    assume(a + b + c + d > 0)

    ours, theirs = estimate_paired_difference(a, b, c, d), estimate_paired_difference(a, c, b, d)

    assert -1 <= ours.low <= ours.value <= ours.high <= 1
    assert ours.low == pytest.approx(-theirs.high)
    assert ours.value == pytest.approx(-theirs.value)


def test_a_proportion_of_nothing_does_not_exist() -> None:
    with pytest.raises(Unscorable):
        estimate_proportion(0, 0)


def test_the_interval_is_wilsons() -> None:
    # Published example: 15 of 148 gives 0.0624 to 0.1605 (Newcombe 1998, table I, method 3).
    estimate = estimate_proportion(15, 148)

    assert (round(estimate.low, 4), round(estimate.high, 4)) == (0.0624, 0.1605)


@given(counts)
def test_intervals_and_ranks_are_those_of_scipys_statistics(count: tuple[int, int]) -> None:
    right, n = count

    found = estimate_proportion(right, n)
    median = estimate_median(list(range(n)))

    wilson = binomtest(right, n).proportion_ci(0.95, method="wilson")
    assert (found.low, found.high) == pytest.approx((wilson.low, wilson.high), abs=1e-9)
    assert median.low == max(0, int(binom.ppf(0.025, n, 0.5)) - 1)


@given(counts)
def test_an_interval_contains_its_proportion_and_stays_in_bounds(count: tuple[int, int]) -> None:
    right, n = count

    estimate = estimate_proportion(right, n)

    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimate.high > estimate.low


@given(counts)
def test_more_items_narrow_the_interval(count: tuple[int, int]) -> None:
    right, n = count

    few, many = estimate_proportion(right, n), estimate_proportion(10 * right, 10 * n)

    assert many.high - many.low < few.high - few.low


@given(seconds)
def test_a_median_lies_in_its_interval(values: list[float]) -> None:
    estimate = estimate_median(values)

    assert min(values) <= estimate.low <= estimate.value <= estimate.high <= max(values)
    assert estimate.n == len(values)


def test_the_interval_of_a_median_lies_between_order_statistics() -> None:
    # The binomial distribution of 20 values puts 95.9 % between ranks 6 and 15.
    estimate = estimate_median([float(value) for value in range(1, 21)])

    assert (estimate.low, estimate.value, estimate.high) == (6.0, 10.5, 15.0)
