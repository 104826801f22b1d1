"""Whatever is logged or traced can be stored: PostgreSQL takes neither NUL nor lone surrogates."""

import json

import pytest
from hypothesis import given
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
def test_any_text_is_stored_without_its_nul_characters(text: str) -> None:
    assert json.loads(to_json([text])) == [text.replace("\x00", "")]
    assert clean(text) == text.replace("\x00", "")
