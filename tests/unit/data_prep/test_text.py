"""Text as it is kept and as it is compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.data_prep.text import as_text, input_key, tidy


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
    assert input_key(first) == input_key(second)


def test_inner_punctuation_tells_inputs_apart() -> None:
    assert input_key("2+2") != input_key("2-2")


def test_an_input_of_punctuation_alone_keeps_its_key() -> None:
    assert input_key("???") == "???"


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert input_key(input_key(text)) == input_key(text)
    assert tidy(tidy(text)) == tidy(text)


def test_values_that_are_no_text_become_json_in_one_order() -> None:
    assert as_text({"b": 1, "a": [True]}) == as_text({"a": [True], "b": 1}) == '{"a":[true],"b":1}'
