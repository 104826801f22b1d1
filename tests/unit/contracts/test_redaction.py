"""URLs in messages, without what must not be read there."""

import pytest

from archon_contracts.rules.redaction import without_credentials


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://user:word@host:1/path", "http://host:1/path"),
        ("http://user:w/o@r?d#@host:1", "http://host:1"),
        ("cannot reach http://u:p@host?token=1 now", "cannot reach http://host now"),
        ("http://host:1/path", "http://host:1/path"),
        ("no URL, but a@b.example", "no URL, but a@b.example"),
    ],
)
def test_user_password_and_query_are_left_out(text: str, expected: str) -> None:
    assert without_credentials(text) == expected
