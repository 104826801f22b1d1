"""Which texts are close to a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.data_prep.trust.tfidf_neighbours import (
    MINIMUM_SIMILARITY,
    NeighbourMatches,
    TfidfNeighbours,
)
from tests.support.data.datasets import texts


@given(st.lists(texts, min_size=1, max_size=20))
def test_a_text_is_closest_to_itself(known: list[str]) -> None:
    neighbours = TfidfNeighbours(known)

    for text in known:
        similarity, place = neighbours.find_nearest(text, 1).single[0]
        assert similarity == pytest.approx(1.0)
        assert set(known[place].split()) == set(text.split())


@given(st.lists(texts, max_size=20), texts)
def test_neighbours_come_nearest_first_and_none_is_too_far(known: list[str], text: str) -> None:
    found = [similarity for similarity, _ in TfidfNeighbours(known).find_nearest(text, 20).single]

    assert found == sorted(found, reverse=True)
    assert all(MINIMUM_SIMILARITY <= similarity <= 1.0 for similarity in found)


def test_a_rare_word_in_common_counts_more_than_a_frequent_one() -> None:
    known = ["please cancel it", "please refund it", "please track it", "never refund"]

    nearest = [
        place for _, place in TfidfNeighbours(known).find_nearest("refund them please", 4).single
    ]

    assert set(nearest[:2]) == {1, 3}


def test_nothing_is_near_where_nothing_is_known() -> None:
    assert TfidfNeighbours([]).find_nearest("please cancel it", 5) == NeighbourMatches([], [])


@given(st.lists(texts, min_size=1, max_size=20), texts, st.data())
def test_of_each_group_the_nearest_is_found_and_single_texts_by_themselves(
    known: list[str], text: str, data: st.DataObject
) -> None:
    groups = sorted(data.draw(st.sets(st.integers(0, len(known) - 1))))
    group_of = [sum(start <= place for start in groups) for place in range(len(known))]

    near = TfidfNeighbours(known, groups).find_nearest(text, 20)

    every = TfidfNeighbours(known).find_nearest(text, 20).single
    assert near.single == [one for one in every if group_of[one[1]] == 0]
    best = {group_of[place]: similarity for similarity, place in reversed(every)}
    assert {group_of[place]: similarity for similarity, place in near.grouped} == {
        group: similarity for group, similarity in best.items() if group
    }


def test_a_group_of_very_many_is_one_answer() -> None:
    known = ["cancel it", *(f"please cancel it {n}" for n in range(500)), "cancel it now"]

    near = TfidfNeighbours(known, [1, 501]).find_nearest("please cancel it", 3)

    assert [len(near.single), len(near.grouped)] == [1, 2]
