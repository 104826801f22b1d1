"""Text as it is kept and as it is compared."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.rules.normal_text import MAXIMUM_MARKS, clean_text
from services.data_prep.text import normalise_input, to_text


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Where is it?", "where is it"),
        ("where  is\tit", "Where is it!"),
        ("STRASSE", "straße"),
        ("caf\u00e9", "cafe\u0301"),
        ("re\u00adset my pass\u200bword", "reset my password"),
        ("\ufeffreset\u200f my\u00a0password\u2060", "reset my password"),
        ("\u2764\ufe0f this", "\u2764 this"),
        ("it\u2019s \u201cbroken\u201d", 'it\'s "broken"'),
        ("follow\u2011up \u2013 now", "follow-up - now"),
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


@pytest.mark.parametrize("marks", ["\u0301\u0323", "\u0f73\u0301", "\uff9e\u0301"])
def test_long_runs_of_combining_marks_are_cut_before_they_cost_time(marks: str) -> None:
    text = "a" + marks * 70_000
    began = time.process_time()

    cleaned, key = clean_text(text), normalise_input(text)

    assert time.process_time() - began < 2.0  # 16 s without the limit
    assert max(len(cleaned), len(key)) <= 3 * MAXIMUM_MARKS


def test_marks_of_ordinary_writing_stay() -> None:
    assert clean_text("Tie\u0302\u0301ng Vie\u0323\u0302t") == "Ti\u1ebfng Vi\u1ec7t"
