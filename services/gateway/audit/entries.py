"""Entries of the audit log: those that the gateway writes, and those that callers see."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from archon_contracts.events import AuditAction, AuditChange
from services.gateway.auth.request_identity import RequestIdentity
from services.gateway.domain import View
from shared.audit import AuditEntry


def build_entry(
    identity: RequestIdentity,
    action: AuditAction,
    subject: object,
    *,
    tenant_id: str = "",
    reason: str = "",
    **details: object,
) -> AuditEntry:
    """The caller did `action` to `subject`, of its own tenant or of the one named; details that
    are None are left out."""
    return AuditEntry(
        tenant_id=tenant_id or identity.tenant_id,
        actor=identity.actor,
        action=action,
        subject=str(subject),
        reason=reason,
        details={name: str(fact) for name, fact in details.items() if fact is not None},
    )


class AuditEntryView(View):
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
    changes: list[AuditChange]
    cause_id: UUID
    trace_id: str
    previous_hash: str
    hash: str
