"""Whatever is logged or traced can be stored: PostgreSQL takes neither NUL nor lone surrogates."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.telemetry.records import clean, to_json


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("a\x00b", "ab"),
        ("a\\u0000b", "a\\u0000b"),
        ("a\\\x00b", "a\\b"),
        ("a\\\\u0000-", "a\\\\u0000-"),
        ("half \ud800 of a pair", "half ? of a pair"),
    ],
)
def test_awkward_text_stays_json(text: str, stored: str) -> None:
    assert json.loads(to_json({"reason": text})) == {"reason": stored}


@given(st.text(st.characters()))
@example("half \ud800 of a pair, and \x00")
def test_any_text_is_stored_without_what_postgresql_refuses(text: str) -> None:
    halves = {char: "?" for char in text if "\ud800" <= char <= "\udfff"}
    expected = "".join(halves.get(char, char) for char in text if char != "\x00")

    assert json.loads(to_json([text])) == [expected]
    assert clean(text) == expected
