"""What makes an item hard."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.data_prep.domain import Item
from services.data_prep.sampling.difficulty import grade_difficulty, score
from tests.support.data.datasets import item, items

NO_WORDS: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("easier", "harder"),
    [
        (
            score(item("a", was_answered_wrong=False), NO_WORDS, 1),
            score(item("a", was_answered_wrong=True), NO_WORDS, 1),
        ),
        (score(item("a"), NO_WORDS, 9), score(item("a"), NO_WORDS, 1)),
        (score(item("a"), NO_WORDS, 1), score(item("a b c d e f"), NO_WORDS, 1)),
        (score(item("a"), frozenset("a"), 1), score(item("b"), frozenset("a"), 1)),
    ],
    ids=["answered wrong", "seldom seen", "long", "no word in common"],
)
def test_each_sign_makes_an_item_harder(easier: float, harder: float) -> None:
    assert easier < harder


def test_an_unknown_outcome_is_neither_right_nor_wrong() -> None:
    right, unknown, wrong = (
        score(item("a b c", was_answered_wrong=outcome), NO_WORDS, 3)
        for outcome in (False, None, True)
    )

    assert right < unknown < wrong


@given(items())
def test_difficulty_is_a_share_and_keeps_the_order_of_items(found: list[Item]) -> None:
    result = grade_difficulty(found, {}, {})

    assert [grade.item for grade in result] == found
    assert all(0.0 <= grade.difficulty < 1.0 for grade in result)


@given(items(), st.floats(0, 1))
def test_no_stage_of_a_curriculum_is_short_of_items(found: list[Item], share: float) -> None:
    difficulties = [grade.difficulty for grade in grade_difficulty(found, {}, {})]

    open_items = sum(difficulty <= share for difficulty in difficulties)

    assert open_items >= math.floor(share * len(found))
