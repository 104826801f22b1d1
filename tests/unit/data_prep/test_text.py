"""Text as it is kept and as it is compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.data_prep.text import clean_text, normalise_input, to_text


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Where is it?", "where is it"),
        ("where  is\tit", "Where is it!"),
        ("STRASSE", "straße"),
        ("caf\u00e9", "cafe\u0301"),
    ],
)
def test_inputs_that_ask_the_same_have_one_key(first: str, second: str) -> None:
    assert normalise_input(first) == normalise_input(second)


def test_inner_punctuation_distinguishes_inputs() -> None:
    assert normalise_input("2+2") != normalise_input("2-2")


def test_an_input_of_punctuation_alone_keeps_its_key() -> None:
    assert normalise_input("???") == "???"


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise_input(normalise_input(text)) == normalise_input(text)
    assert clean_text(clean_text(text)) == clean_text(text)


def test_values_that_are_no_text_become_json_in_one_order() -> None:
    assert to_text({"b": 1, "a": [True]}) == to_text({"a": [True], "b": 1}) == '{"a":[true],"b":1}'
