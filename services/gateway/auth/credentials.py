"""API keys: 256 random bits, shown once, kept as a sha256 hash."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Scope(StrEnum):
    """Permission of a key."""

    FEEDBACK = "feedback"
    ANNOTATE = "annotate"
    READ = "read"
    WRITE = "write"
    OPERATE = "operate"
    ADMIN = "admin"


ALL_SCOPES = frozenset(Scope)
OPERATOR_TENANT = "default"
"""The tenant whose keys, with the scopes for it, may manage other tenants."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a request. The tenant always comes from the key, never from a body."""

    tenant_id: str
    name: str
    scopes: frozenset[Scope]
    key_id: UUID | None = None
    expires_at: datetime | None = field(default=None, compare=False)
    agents: frozenset[str] | None = None
    """The agents that the key is bound to; None: it may name any of the tenant's."""

    def may_name(self, agent_id: str | None) -> bool:
        """Whether the key may concern this agent; what is of no agent (None) is the tenant's."""
        return self.agents is None or agent_id in self.agents

    @property
    def submitter(self) -> str:
        """The key as the submitter of feedback; ids cannot be chosen, names can."""
        return f"key:{self.key_id or self.name}"

    @property
    def actor(self) -> str:
        """Name and id for the audit log: names are not unique, ids are."""
        return f"{self.name} (key {self.key_id})" if self.key_id else self.name


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A valid key as stored."""

    caller: Caller
    seconds_left: float | None  # None: it does not expire
    used_today: bool


def new_key() -> str:
    """A new random key."""
    return f"archon_{secrets.token_urlsafe(32)}"


def hash_key(key: str) -> bytes:
    """The stored form. A plain sha256 is enough: 256 random bits cannot be guessed."""
    return hashlib.sha256(key.encode()).digest()


def bearer_key(authorization: str) -> str | None:
    """The key in an `Authorization: Bearer ...` header, or None."""
    scheme, _, key = authorization.partition(" ")
    key = key.strip()
    return key if scheme.lower() == "bearer" and 0 < len(key) <= 512 else None


def parse_scopes(names: Iterable[str]) -> frozenset[Scope]:
    """Scopes by their names."""
    return frozenset(Scope(name) for name in names)
