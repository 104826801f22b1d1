"""Altered copies of training items."""

import random

from hypothesis import given
from hypothesis import strategies as st

from services.data_prep.domain import Item
from services.data_prep.sampling.augmentation import drop_word, make_variants, swap_letters
from tests.support.data.datasets import item, items

seeds = st.integers(0, 2**31)


@given(items(), st.floats(0, 1), seeds)
def test_variants_keep_their_target_and_take_no_taken_input(
    found: list[Item], share: float, seed: int
) -> None:
    taken = {i.key for i in found}
    targets = {i.id: i.target for i in found}

    made = make_variants(found, share, seed, taken)

    assert len(made) <= round(share * len(found))
    assert all(v.target == targets[v.id.removesuffix("#1")] for v in made)
    assert not {v.key for v in made} & taken
    assert len({v.key for v in made}) == len(made)


@given(items(), seeds)
def test_equal_seeds_make_equal_variants(found: list[Item], seed: int) -> None:
    assert make_variants(found, 0.5, seed, ()) == make_variants(found, 0.5, seed, ())


def test_variants_are_no_feedback() -> None:
    (made,) = make_variants(
        [item("where is my parcel now please", feedback_ids=("1",))], 1.0, 0, ()
    )

    assert (made.source, made.feedback_ids) == ("synthetic", ())


@given(st.text(), seeds)
def test_a_typo_loses_no_letter(text: str, seed: int) -> None:
    assert sorted(swap_letters(text, random.Random(seed))) == sorted(text)


@given(st.text(), seeds)
def test_at_most_one_word_is_dropped_and_never_of_a_short_text(text: str, seed: int) -> None:
    words = text.split()

    left = drop_word(text, random.Random(seed)).split()

    assert len(left) == (len(words) - 1 if len(words) >= 5 else len(words))
