"""Answers about audit.

Written by `python -m tests.reference` from the OpenAPI document; do not edit.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from archon_contracts.client.sdk.answers.base import ApiAnswer


class AuditChangeInfo(ApiAnswer):
    """One field's values before and after, each as JSON text; empty: it had none."""

    field: str
    before: str | None = None
    after: str | None = None


class AuditEntryInfo(ApiAnswer):
    """Who did what, and why."""

    chain: str = Field(description="Service that recorded it.")
    sequence: int
    recorded_at: datetime
    actor: str
    action: str
    agent_id: str | None = None
    subject: str
    reason: str
    details: dict[str, str]
    changes: list[AuditChangeInfo]
    cause_id: UUID
    trace_id: str
    previous_hash: str
    hash: str


class ChainInfo(ApiAnswer):
    """What recomputing a chain gave. Compare `sequence` and `hash` with what was noted before."""

    chain: str
    ok: bool
    entries: int
    sequence: int = Field(description="Of the newest entry.")
    hash: str = Field(description="Of the newest entry.")
    broken_at: int | None = Field(default=None, description="First sequence that is not right.")
    problem: str | None = None
    gaps: list[list[Any]] = Field(description="First and last missing sequence of each gap.")


class AuditVerificationInfo(ApiAnswer):
    """Whether every chain of a tenant is whole."""

    ok: bool
    chains: list[ChainInfo]
