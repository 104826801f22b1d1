"""Which texts are close to a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.data_prep.trust.tfidf_neighbours import FARTHEST, Near, Neighbours
from tests.support.data.datasets import texts


@given(st.lists(texts, min_size=1, max_size=20))
def test_a_text_is_closest_to_itself(known: list[str]) -> None:
    neighbours = Neighbours(known)

    for text in known:
        closeness, place = neighbours.of(text, 1).single[0]
        assert closeness == pytest.approx(1.0)
        assert set(known[place].split()) == set(text.split())


@given(st.lists(texts, max_size=20), texts)
def test_neighbours_come_nearest_first_and_none_is_too_far(known: list[str], text: str) -> None:
    found = [closeness for closeness, _ in Neighbours(known).of(text, 20).single]

    assert found == sorted(found, reverse=True)
    assert all(FARTHEST <= closeness <= 1.0 for closeness in found)


def test_a_rare_word_in_common_counts_more_than_a_frequent_one() -> None:
    known = ["please cancel it", "please refund it", "please track it", "never refund"]

    nearest = [place for _, place in Neighbours(known).of("refund them please", 4).single]

    assert set(nearest[:2]) == {1, 3}


def test_nothing_is_near_where_nothing_is_known() -> None:
    assert Neighbours([]).of("please cancel it", 5) == Near([], [])


@given(st.lists(texts, min_size=1, max_size=20), texts, st.data())
def test_of_each_group_the_nearest_is_found_and_single_texts_by_themselves(
    known: list[str], text: str, data: st.DataObject
) -> None:
    groups = sorted(data.draw(st.sets(st.integers(0, len(known) - 1))))
    group_of = [sum(start <= place for start in groups) for place in range(len(known))]

    near = Neighbours(known, groups).of(text, 20)

    every = Neighbours(known).of(text, 20).single
    assert near.single == [one for one in every if group_of[one[1]] == 0]
    best = {group_of[place]: closeness for closeness, place in reversed(every)}
    assert {group_of[place]: closeness for closeness, place in near.grouped} == {
        group: closeness for group, closeness in best.items() if group
    }


def test_a_group_of_very_many_is_one_answer() -> None:
    known = ["cancel it", *(f"please cancel it {n}" for n in range(500)), "cancel it now"]

    near = Neighbours(known, [1, 501]).of("please cancel it", 3)

    assert [len(near.single), len(near.grouped)] == [1, 2]
