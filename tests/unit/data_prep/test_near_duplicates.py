"""Inputs that differ by a typo."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.data_prep.near_duplicates import clusters, shingles
from tests.support.datasets import texts

LONG = "could you please tell me where my parcel from last monday has been delivered to"
EXACT, SKETCHED = 1_000, 0

either_way = pytest.mark.parametrize("limit", [EXACT, SKETCHED], ids=["exact", "sketched"])


@either_way
def test_a_typo_makes_a_near_duplicate_and_another_question_does_not(limit: int) -> None:
    found = [LONG, LONG.replace("parcel", "parcle"), "cancel the order"]

    assert clusters(found, 0.85, limit) == [0, 0, 2]


@either_way
def test_equal_texts_are_always_in_one_cluster(limit: int) -> None:
    assert clusters(["a", "b", "a"], 0.85, limit) == [0, 1, 0]


def test_likeness_is_handed_on() -> None:
    chain = [LONG, f"{LONG} xxxx", f"{LONG} xxxx yyyy"]

    assert clusters(chain, 0.9, EXACT) == [0, 0, 0]


@given(st.lists(texts, max_size=25), st.sampled_from((0.5, 0.7, 0.85, 1.0)))
def test_the_exact_way_finds_every_similar_pair(found: list[str], threshold: float) -> None:
    roots = clusters(found, threshold, EXACT)

    for one, other in itertools.combinations(range(len(found)), 2):
        a, b = shingles(found[one]), shingles(found[other])
        if len(a & b) >= threshold * len(a | b):
            assert roots[one] == roots[other]


@given(st.lists(texts, max_size=15))
def test_the_sketched_way_never_joins_what_the_exact_way_keeps_apart(found: list[str]) -> None:
    exact = clusters(found, 0.8, EXACT)
    sketched = clusters(found, 0.8, SKETCHED)

    for one, other in itertools.combinations(range(len(found)), 2):
        if sketched[one] == sketched[other]:
            assert exact[one] == exact[other]
