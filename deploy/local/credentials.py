"""Secrets that the local system makes for itself at its first start."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

OWNER_ONLY = 0o600
OWNER_ONLY_FOLDER = 0o700


def random_text() -> str:
    """256 random bits for a header or a URL."""
    return secrets.token_urlsafe(32)


def random_key() -> str:
    """256 random bits in hex, as an Ed25519 private key is given."""
    return secrets.token_hex(32)


def read_or_create(path: Path, make: Callable[[], str] = random_text) -> str:
    """Return the secret kept at `path`: made at random the first time, for its owner's eyes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # With its mode from the beginning: a file that is narrowed afterwards was open
        # for a moment.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        secret = make()
        file.write(secret)
    return secret
