"""The Idempotency-Key header."""

import pytest
from fastapi import Request

from services.gateway.errors import Invalid
from services.gateway.idempotency import read_idempotency_key


def request(key: str) -> Request:
    return Request({"type": "http", "headers": [(b"idempotency-key", key.encode())]})


def test_a_key_of_two_hundred_characters_is_read() -> None:
    assert read_idempotency_key(request("k" * 200)) == "k" * 200


def test_a_longer_idempotency_key_is_refused() -> None:
    with pytest.raises(Invalid, match="Idempotency-Key"):
        read_idempotency_key(request("k" * 201))
