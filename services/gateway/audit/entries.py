"""Entries of the audit log: those that the gateway writes, and those that callers see."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from archon_contracts.audit_chain import compute_hash
from archon_contracts.events import AuditAction, AuditChange, AuditRecorded
from services.gateway.auth.request_identity import RequestIdentity
from services.gateway.domain import View
from services.gateway.errors import AuditForged
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


def require_genuine(event: AuditRecorded) -> None:
    """Refuse an entry that is not as its hash says, before the copy of its chain keeps it.

    Anybody who may write to the topic can still forge a whole entry, hash and all: that only the
    services may is the broker's ACL.

    Raises:
        AuditForged: what it says and its hash differ.
    """
    if compute_hash(event.model_dump()) != event.hash:
        raise AuditForged(
            f"entry {event.sequence} of chain {event.chain} of tenant {event.tenant_id} does not "
            "hash to what it says: it was not written by the service that keeps the chain"
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
