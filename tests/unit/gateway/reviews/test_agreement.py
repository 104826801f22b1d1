"""Kappa of reviewers: scikit-learn's for two, the published example for more."""

import random
from uuid import UUID, uuid4

import pytest
from sklearn.metrics import cohen_kappa_score

from services.gateway.reviews.agreement import (
    compute_cohen_kappa,
    compute_fleiss_kappa,
    find_agreement,
)

FLEISS_EXAMPLE = (
    (0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1),
    (7, 7, 0, 0, 0), (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7),
)  # fmt: skip
"""The worked example with 14 raters, 10 items and 5 categories; its kappa is 0.210."""


@pytest.mark.parametrize("seed", range(5))
def test_cohens_kappa_is_that_of_scikit_learn(seed: int) -> None:
    rng = random.Random(seed)
    first = rng.choices("abc", k=50)
    second = [each if rng.random() < 0.6 else rng.choice("abcd") for each in first]

    assert compute_cohen_kappa(first, second) == pytest.approx(cohen_kappa_score(first, second))


def test_fleiss_kappa_is_that_of_the_worked_example() -> None:
    items = [
        [name for name, count in zip("abcde", row, strict=True) for _ in range(count)]
        for row in FLEISS_EXAMPLE
    ]

    assert compute_fleiss_kappa(items) == pytest.approx(0.210, abs=0.0005)


def test_what_no_coefficient_can_say_is_absent() -> None:
    assert compute_cohen_kappa([], []) is None
    assert compute_cohen_kappa(["a", "a"], ["a", "a"]) is None
    assert compute_fleiss_kappa([["a", "a", "a"]]) is None
    with pytest.raises(ValueError, match="same number"):
        compute_fleiss_kappa([["a", "b"], ["a"]])


def test_the_coefficient_fits_the_reviewers() -> None:
    two = {uuid4(): {"x": "a", "y": "a"}, uuid4(): {"x": "b", "y": "a"}, uuid4(): {"x": "a"}}
    three: dict[UUID, dict[str, str]] = {
        uuid4(): {"x": "a", "y": "a", "z": "b"},
        uuid4(): {"x": "b", "y": "b", "z": "b"},
        uuid4(): {"x": "b", "y": "b"},
    }

    assert find_agreement(two) == ("cohen", 0.0, 2)
    name, kappa, items = find_agreement(three)
    assert (name, items) == ("fleiss", 2)
    assert kappa == compute_fleiss_kappa([["a", "a", "b"], ["b", "b", "b"]])
    assert find_agreement({uuid4(): {"x": "a"}}) == ("", None, 0)
