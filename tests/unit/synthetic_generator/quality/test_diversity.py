"""How different items are."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.synthetic_generator.quality import diversity
from services.synthetic_generator.quality.diversity import (
    DiverseCollection,
    distinct_n,
    similarity_limit,
)

sentences = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6).map(" ".join)
EXACT, SKETCHED = 10, 10**6


def similarity(one: str, other: str) -> float:
    first, second = (set(diversity._hash_word_pairs(text)) for text in (one, other))
    return len(first & second) / len(first | second)


def select_diverse(texts: list[str], limit: float, expected: int) -> list[str]:
    collection = DiverseCollection(limit, expected)
    return [text for text in texts if collection.add_if_diverse(text)]


@given(st.lists(sentences, max_size=25), st.sampled_from((0.4, 0.7, 0.9)))
def test_no_two_admitted_texts_are_too_similar(texts: list[str], limit: float) -> None:
    inside = select_diverse(texts, limit, EXACT)

    pairs = itertools.combinations(inside, 2)
    assert all(similarity(one, other) <= limit for one, other in pairs)


@given(st.lists(sentences, max_size=25), st.sampled_from((0.4, 0.7, 0.9)))
def test_nothing_is_refused_without_cause(texts: list[str], limit: float) -> None:
    inside = select_diverse(texts, limit, EXACT)

    for text in set(texts) - set(inside):
        assert any(similarity(text, other) > limit for other in inside)


def test_a_large_collection_is_compared_by_sketches_and_refuses_equal_texts() -> None:
    texts = ["where is my parcel now", "where is my parcel now", "cancel the whole order please"]

    assert select_diverse(texts, 0.7, SKETCHED) == [texts[0], texts[2]]


def test_without_a_request_for_diversity_everything_is_admitted() -> None:
    assert select_diverse(["a b", "a b"], similarity_limit(0.0), EXACT) == ["a b", "a b"]


@given(st.floats(0, 1))
def test_the_limit_falls_with_the_diversity_that_is_asked_for(asked: float) -> None:
    assert similarity_limit(1.0) == pytest.approx(0.4)
    assert 0.4 - 1e-9 <= similarity_limit(asked) <= 1.0


def test_distinct_counts_different_word_groups() -> None:
    assert distinct_n(["a b a", "a b"], 1) == pytest.approx(2 / 5)
    assert distinct_n(["a b a", "a b"], 2) == pytest.approx(2 / 3)
    assert distinct_n(["a"], 2) is None
