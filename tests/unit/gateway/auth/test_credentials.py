"""API keys."""

import pytest

from services.gateway.auth.credentials import Scope, bearer_key, hash_key, new_key, parse_scopes


def test_keys_are_long_and_never_the_same() -> None:
    keys = {new_key() for _ in range(100)}

    assert len(keys) == 100
    assert min(map(len, keys)) >= 43


def test_a_hash_does_not_show_its_key() -> None:
    key = new_key()

    assert len(hash_key(key)) == 32
    assert key.encode() not in hash_key(key)
    assert hash_key(key) != hash_key(new_key())


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Basic abc", None),
        ("abc", None),
        ("Bearer ", None),
        ("", None),
        ("Bearer " + "x" * 600, None),
    ],
)
def test_only_a_bearer_header_carries_a_key(header: str, key: str | None) -> None:
    assert bearer_key(header) == key


def test_scopes_are_read_by_name() -> None:
    assert parse_scopes(["read", "operate"]) == {Scope.READ, Scope.OPERATE}
