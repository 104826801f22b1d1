"""What the audit log holds of what callers do at the gateway itself."""

from __future__ import annotations

from archon_contracts.events import AuditAction
from services.gateway.auth.request_identity import RequestIdentity
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
