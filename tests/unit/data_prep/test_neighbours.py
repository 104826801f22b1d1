"""Which texts are close to a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.data_prep.neighbours import FARTHEST, Neighbours
from tests.support.datasets import texts


@given(st.lists(texts, min_size=1, max_size=20))
def test_a_text_is_closest_to_itself(known: list[str]) -> None:
    neighbours = Neighbours(known)

    for text in known:
        closeness, place = next(neighbours.of(text))
        assert closeness == pytest.approx(1.0)
        assert set(known[place].split()) == set(text.split())


@given(st.lists(texts, max_size=20), texts)
def test_neighbours_come_nearest_first_and_none_is_too_far(known: list[str], text: str) -> None:
    found = [closeness for closeness, _ in Neighbours(known).of(text)]

    assert found == sorted(found, reverse=True)
    assert all(FARTHEST <= closeness <= 1.0 for closeness in found)


def test_a_rare_word_in_common_counts_more_than_a_frequent_one() -> None:
    known = ["please cancel it", "please refund it", "please track it", "never refund"]

    nearest = [place for _, place in Neighbours(known).of("refund them please")]

    assert set(nearest[:2]) == {1, 3}


def test_nothing_is_near_where_nothing_is_known() -> None:
    assert list(Neighbours([]).of("please cancel it")) == []
