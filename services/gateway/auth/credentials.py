"""API keys: 256 random bits, shown once, kept as a sha256 hash."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Scope(StrEnum):
    """What a key may do."""

    FEEDBACK = "feedback"
    ANNOTATE = "annotate"
    READ = "read"
    WRITE = "write"
    OPERATE = "operate"
    ADMIN = "admin"


ALL_SCOPES = frozenset(Scope)
OPERATOR_TENANT = "default"
"""Whose keys, with the scopes for it, may look after other tenants."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the tenant always comes from the key, never from a body."""

    tenant_id: str
    name: str
    scopes: frozenset[Scope]
    key_id: UUID | None = None

    @property
    def actor(self) -> str:
        """Who did it, for the record: names are not unique, ids are."""
        return f"{self.name} (key {self.key_id})" if self.key_id else self.name


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key that is good now, as the database has it."""

    caller: Caller
    seconds_left: float | None  # None: it does not expire
    used_today: bool


def new_key() -> str:
    """A key to hand out once."""
    return f"archon_{secrets.token_urlsafe(32)}"


def hash_key(key: str) -> bytes:
    """What is stored. A plain sha256 is enough for 256 random bits: there is nothing to guess."""
    return hashlib.sha256(key.encode()).digest()


def bearer_key(authorization: str) -> str | None:
    """The key in an `Authorization: Bearer ...` header, or None."""
    scheme, _, key = authorization.partition(" ")
    key = key.strip()
    return key if scheme.lower() == "bearer" and 0 < len(key) <= 512 else None


def parse_scopes(names: Iterable[str]) -> frozenset[Scope]:
    """The scopes that these names mean."""
    return frozenset(Scope(name) for name in names)
