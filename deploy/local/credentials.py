"""Secrets that the local system makes for itself at its first start."""

import os
import secrets
from pathlib import Path

OWNER_ONLY = 0o600


def read_or_create(path: Path) -> str:
    """Return the secret kept at `path`: made at random the first time, for its owner's eyes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        secret = secrets.token_urlsafe(32)
        file.write(secret)
    return secret
