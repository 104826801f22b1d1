"""Edits of the surface."""

import random
import re
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.synthetic_generator.generators.mutation import (
    add_courtesy,
    add_typo,
    change_case,
    mutate,
    reorder,
)
from tests.support.data.synthetic_generator import REQUESTS, difficulties, seeds

inputs = st.sampled_from([text for text, _ in REQUESTS]) | st.text()


@given(inputs, seeds)
def test_a_typo_touches_neither_digits_nor_placeholders(text: str, seed: int) -> None:
    text = f"<PHONE> {text}"

    slipped = add_typo(text, random.Random(seed))

    assert slipped.startswith("<PHONE>")
    assert re.findall(r"\d", slipped) == re.findall(r"\d", text)
    assert abs(len(slipped) - len(text)) <= 1


@given(inputs, seeds)
def test_another_case_keeps_every_letter(text: str, seed: int) -> None:
    assert (
        change_case(text, random.Random(seed)).casefold() == text.casefold() or not text.isascii()
    )


@given(inputs, seeds)
def test_courtesy_keeps_the_whole_text(text: str, seed: int) -> None:
    assert text in add_courtesy(text, random.Random(seed))


@given(inputs, seeds)
def test_reordering_keeps_every_word(text: str, seed: int) -> None:
    assert Counter(reorder(text, random.Random(seed)).split()) == Counter(text.split())


@given(inputs, difficulties, seeds)
def test_equal_seeds_make_equal_mutations(text: str, difficulty: str, seed: int) -> None:
    one, other = (mutate(text, difficulty, random.Random(seed)) for _ in range(2))

    assert one == other
