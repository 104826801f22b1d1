"""Metrics of one model, with their intervals."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts import metric_names
from archon_contracts.formats import PredictionRow
from services.evaluator.comparison.metrics import measure, median_estimate


def row(number: int, *, latency_seconds: float | None = None) -> PredictionRow:
    return PredictionRow(
        id=str(number),
        group="old",
        output="a",
        score=0.9,
        correct=number % 2 == 0,
        correct_at_k=True,
        latency_seconds=latency_seconds,
    )


def test_accuracy_is_measured_over_all_items_and_per_group() -> None:
    found = {(r.name, r.group): r.estimate for r in measure("candidate", [row(0), row(1)])}

    assert found.keys() == {
        (name, group)
        for name in (metric_names.ACCURACY, metric_names.ACCURACY_AT_5)
        for group in ("all", "old")
    }
    assert found[metric_names.ACCURACY, "all"].value == 0.5
    assert found[metric_names.ACCURACY_AT_5, "old"].value == 1


def test_latency_is_a_median_of_the_timed_items_in_seconds_and_lower_is_better() -> None:
    rows = [row(n, latency_seconds=n / 10 if n < 20 else None) for n in range(30)]

    *_, latency = measure("candidate", rows)

    assert (latency.name, latency.unit, latency.higher_is_better) == ("latency_seconds", "s", False)
    assert (latency.estimate.value, latency.estimate.n) == (0.95, 20)


@pytest.mark.parametrize(("n", "low", "high"), [(1, 1, 1), (5, 1, 5), (6, 1, 6), (20, 6, 15)])
def test_the_interval_of_a_median_is_between_the_published_ranks(
    n: int, low: int, high: int
) -> None:
    # Ranks: Conover 1999, table A3 (binomial, p = 1/2).
    found = median_estimate([float(value) for value in range(1, n + 1)])

    assert (found.low, found.high) == (low, high)


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=60))
def test_a_median_is_in_its_interval(values: list[float]) -> None:
    found = median_estimate(values)

    assert found.low <= found.value == statistics.median(values) <= found.high
