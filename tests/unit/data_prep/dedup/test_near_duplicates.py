"""Inputs that differ by a typo."""

import itertools
import random
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.data_prep.dedup import near_duplicates
from services.data_prep.dedup.gram_sets import (
    EXCERPT_CHARACTERS,
    EXCERPTS,
    GramSets,
    make_gram_sets,
    shingles,
)
from services.data_prep.dedup.near_duplicates import (
    BANDS,
    MAXIMUM_FAILED_COMPARISONS,
    NEIGHBOURS_IN_BAND,
    cluster_near_duplicates,
)
from tests.support.data.datasets import texts

LONG = "could you please tell me where my parcel from last monday has been delivered to"
EXACT, SKETCHED = 1_000, 0

either_way = pytest.mark.parametrize("limit", [EXACT, SKETCHED], ids=["exact", "sketched"])


@either_way
def test_a_typo_makes_a_near_duplicate_and_another_question_does_not(limit: int) -> None:
    found = [LONG, LONG.replace("parcel", "parcle"), "cancel the order"]

    assert cluster_near_duplicates(found, 0.85, limit) == [0, 0, 2]


@either_way
def test_equal_texts_are_always_in_one_cluster(limit: int) -> None:
    assert cluster_near_duplicates(["a", "b", "a"], 0.85, limit) == [0, 1, 0]


def test_likeness_is_handed_on() -> None:
    chain = [LONG, f"{LONG} xxxx", f"{LONG} xxxx yyyy"]

    assert cluster_near_duplicates(chain, 0.9, EXACT) == [0, 0, 0]


@given(st.lists(texts, max_size=25), st.sampled_from((0.5, 0.7, 0.85, 1.0)))
def test_the_exact_way_finds_every_similar_pair(found: list[str], threshold: float) -> None:
    roots = cluster_near_duplicates(found, threshold, EXACT)

    for one, other in itertools.combinations(range(len(found)), 2):
        a, b = shingles(found[one]), shingles(found[other])
        if len(a & b) >= threshold * len(a | b):
            assert roots[one] == roots[other]


@given(st.lists(texts, max_size=15))
def test_the_sketched_way_never_joins_what_the_exact_way_keeps_apart(found: list[str]) -> None:
    exact = cluster_near_duplicates(found, 0.8, EXACT)
    sketched = cluster_near_duplicates(found, 0.8, SKETCHED)

    for one, other in itertools.combinations(range(len(found)), 2):
        if sketched[one] == sketched[other]:
            assert exact[one] == exact[other]


def prose(length: int, seed: int) -> str:
    """A text of made-up words."""
    return "".join(random.Random(seed).choices(string.ascii_lowercase + "   ", k=length))


@given(st.integers(0, 100_000), st.integers(0, 9))
def test_the_work_for_a_text_is_bounded_however_long_it_is(length: int, seed: int) -> None:
    most = EXCERPTS * (EXCERPT_CHARACTERS + 1)

    assert len(shingles(prose(length, seed))) <= most


@either_way
def test_long_texts_that_are_equal_or_differ_by_a_word_are_one_cluster(limit: int) -> None:
    text = prose(5_000, seed=1)

    texts = [text, text, text.replace(text[2_000:2_006], "other", 1)]

    assert cluster_near_duplicates(texts, 0.85, limit) == [0, 0, 0]


@either_way
def test_long_texts_with_one_head_and_tail_are_not_near_duplicates(limit: int) -> None:
    head, tail = prose(2_000, seed=1), prose(2_000, seed=2)

    found = [head + prose(2_000, seed) + tail for seed in (3, 4)]

    assert cluster_near_duplicates(found, 0.85, limit) == [0, 1]


@pytest.fixture(name="compared")
def _compared(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pairs were compared, each time that some were."""
    counts: list[int] = []
    measure = near_duplicates.measure_similarity

    def count(sets: GramSets, pairs: Any) -> Any:
        counts.append(len(pairs[0]))
        return measure(sets, pairs)

    monkeypatch.setattr(near_duplicates, "measure_similarity", count)
    return counts


@either_way
def test_texts_made_to_be_nearly_alike_are_compared_a_bounded_number_of_times(
    limit: int, compared: list[int]
) -> None:
    words = prose(300, seed=1)
    sampled = [random.Random(seed).sample(range(5, 290), 6) for seed in range(300)]
    texts = [
        "".join("#" + str(n % 10) if at in places else c for at, c in enumerate(words))
        for n, places in enumerate(sampled)
    ]

    cluster_near_duplicates(texts, 0.85, limit)

    most = MAXIMUM_FAILED_COMPARISONS if limit == EXACT else BANDS * NEIGHBOURS_IN_BAND
    assert 0 < sum(compared) <= most * len(texts)


def test_texts_that_are_alike_are_not_compared_once_they_are_joined(compared: list[int]) -> None:
    roots = cluster_near_duplicates([f"{LONG} {number}" for number in range(300)], 0.85, EXACT)

    assert set(roots) == {0}
    assert sum(compared) < 2 * 300


@pytest.mark.parametrize("text", ["", "a", "ab", "\U0001f600 \u4f60\u597d", "\ud800"])
def test_sets_in_arrays_are_those_of_the_texts(text: str) -> None:
    others = ["abcd", "abcd abce", f"{text} abcd", "x" * 600]
    sets = make_gram_sets([text, *others])

    assert sets.sizes.tolist() == [len(shingles(each)) for each in (text, *others)]
    shared = [len(shingles(text) & shingles(each)) for each in others]
    assert sets.count_shared([0] * 4, [1, 2, 3, 4]).tolist() == shared
