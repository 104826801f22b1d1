"""Answers about keys.

Written by `python -m tests.reference` from the OpenAPI document; do not edit.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from archon_contracts.client.sdk.answers.base import ApiAnswer


class NewKeyInfo(ApiAnswer):
    """A new key with its text, which no later answer shows."""

    id: UUID
    tenant_id: str
    name: str
    scopes: list[str]
    agents: list[str] | None = Field(
        default=None, description="The agents that it is bound to; absent: all of the tenant."
    )
    created_at: datetime
    created_by: UUID | None = Field(default=None, description="The key that created it.")
    last_used_on: date | None = Field(default=None, description="To the day, in UTC.")
    expires_at: datetime | None = Field(default=None, description="Absent: it does not expire.")
    revoked_at: datetime | None = None
    key: str


class KeyInfo(ApiAnswer):
    """An API key without its text and hash."""

    id: UUID
    tenant_id: str
    name: str
    scopes: list[str]
    agents: list[str] | None = Field(
        default=None, description="The agents that it is bound to; absent: all of the tenant."
    )
    created_at: datetime
    created_by: UUID | None = Field(default=None, description="The key that created it.")
    last_used_on: date | None = Field(default=None, description="To the day, in UTC.")
    expires_at: datetime | None = Field(default=None, description="Absent: it does not expire.")
    revoked_at: datetime | None = None


class SignInLinkInfo(ApiAnswer):
    """A link as a path of this gateway; it works once."""

    path: str
    expires_at: datetime
