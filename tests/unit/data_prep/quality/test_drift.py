"""Drift is seen where there is some, and not where there is none."""

import math
import random

import pytest

from services.data_prep.domain import Item
from services.data_prep.quality.drift import compute_stability, measure_drift
from tests.support.data.datasets import item

WORDS = ("parcel", "late", "refund", "money", "account", "locked", "delivery", "bill")


def some(count: int, seed: int, words: tuple[str, ...] = WORDS, target: str = "a") -> list[Item]:
    """Items of random words."""
    rng = random.Random(seed)
    return [item(f"{' '.join(rng.choices(words, k=4))} {n}", target) for n in range(count)]


def test_the_index_is_that_of_the_formula() -> None:
    found = compute_stability(["a"] * 30 + ["b"] * 10, ["a"] * 10 + ["b"] * 30)

    p, q = (30.5 / 41, 10.5 / 41), (10.5 / 41, 30.5 / 41)
    assert found == pytest.approx(sum((x - y) * math.log(x / y) for x, y in zip(p, q, strict=True)))
    assert compute_stability(["a", "b"], ["b", "a"]) == 0


def test_other_texts_and_targets_are_drift() -> None:
    drift = measure_drift(some(60, 1, ("tyre", "wheel", "brake"), "b"), some(60, 2))

    assert drift is not None
    assert drift.p_value < 0.01
    assert drift.target_stability > 1


def test_a_sample_of_the_same_is_no_drift() -> None:
    drift = measure_drift(some(60, 1), some(60, 2))

    assert drift is not None
    assert drift.p_value > 0.05
    assert drift.target_stability == 0


def test_equal_texts_are_no_drift() -> None:
    drift = measure_drift([item("same text")] * 30, [item("same text")] * 30)

    assert drift is not None
    assert drift.p_value == 1


def test_an_empty_memory_is_nothing_to_compare_with() -> None:
    assert measure_drift(some(60, 1), []) is None
