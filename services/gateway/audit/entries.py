"""What the audit log holds of what callers do at the gateway itself."""

from __future__ import annotations

from archon_contracts.events import AuditAction
from services.gateway.service import Asked
from shared.audit import Entry


def entry_of(
    asked: Asked,
    action: AuditAction,
    subject: object,
    *,
    tenant_id: str = "",
    reason: str = "",
    **details: object,
) -> Entry:
    """The caller did `action` to `subject`, of its own tenant or of the one named; details that
    are None are left out."""
    return Entry(
        tenant_id=tenant_id or asked.tenant_id,
        actor=asked.actor,
        action=action,
        subject=str(subject),
        reason=reason,
        details={name: str(fact) for name, fact in details.items() if fact is not None},
    )
