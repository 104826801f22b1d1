"""What callers send: texts that others will read are one line of what can be seen."""

import pytest
from pydantic import TypeAdapter, ValidationError

from services.gateway.requests import KeyRequest, Label, Sentence

CONTROLS = ["\x00", "\n", "\r", "\x1b[2J", "\x7f", "\x9b", "\u2028", "\u202e", "\u2066"]


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("kind", [Sentence, Label])
def test_a_text_of_one_line_has_no_control_characters(kind: object, control: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(f"before{control}after")


@pytest.mark.parametrize("control", CONTROLS)
def test_the_name_of_a_key_has_no_control_characters(control: str) -> None:
    with pytest.raises(ValidationError):
        KeyRequest(name=f"a{control}", scopes=frozenset({"read"}))


@pytest.mark.parametrize("text", ["ja, größer [v2] ✓", "日本語", "a/b: c (d)"])
def test_any_other_text_is_accepted(text: str) -> None:
    assert TypeAdapter(Sentence).validate_python(text) == text
