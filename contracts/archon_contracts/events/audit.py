"""The audit trail: who changed what, and why."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from archon_contracts import topics
from archon_contracts.base import Contract, Identifier, Name, ValueObject
from archon_contracts.topics import Topic

SHA256_HEX = r"^[0-9a-f]{64}$"


class AuditAction(StrEnum):
    """What is recorded. Readers take any text: a later release may know more."""

    DEPLOYED = "deployed"
    DEPLOYMENT_REFUSED = "deployment_refused"
    ROLLED_BACK = "rolled_back"
    MODEL_ARCHIVED = "model_archived"
    MODEL_PROTECTED = "model_protected"
    MODEL_UNPROTECTED = "model_unprotected"
    AGENT_CONFIGURED = "agent_configured"
    POLICY_CHANGED = "policy_changed"
    TRAINING_REQUESTED = "training_requested"
    JOB_CANCELLED = "job_cancelled"
    FEEDBACK_RETURNED = "feedback_returned"
    DEAD_LETTER_REPLAYED = "dead_letter_replayed"
    KEY_CREATED = "key_created"
    KEY_REVOKED = "key_revoked"
    WEBHOOK_CREATED = "webhook_created"
    WEBHOOK_REMOVED = "webhook_removed"


class AuditChange(ValueObject):
    """One field's values before and after, each as JSON text; empty: it had none."""

    field: str
    before: str = ""
    after: str = ""


class AuditRecorded(Contract):
    """An entry of a service's audit log; its hash covers the one before it."""

    topic: ClassVar[Topic] = topics.AUDIT
    key_field: ClassVar[str] = "chain"

    chain: Identifier = Field(description="Service that keeps the log, a chain per tenant.")
    sequence: int = Field(ge=1, description="Counts the chain's entries, without gaps.")
    entry_id: UUID
    recorded_at: datetime
    actor: str = Field(description="API key's name and id, or the system and what made it act.")
    action: str
    agent_id: Name | None = Field(default=None, description="Absent: of no one agent.")
    subject: str = Field(description="Version, job, dead letter or key that was acted on.")
    reason: str = ""
    details: dict[str, str] = Field(default_factory=dict)
    changes: tuple[AuditChange, ...] = ()
    cause_id: UUID = Field(description="Id of the command, event or request behind it.")
    trace_id: str = ""
    previous_hash: str = Field(pattern=SHA256_HEX, description="64 zeros in the first entry.")
    hash: str = Field(
        pattern=SHA256_HEX, description="sha256 as archon_contracts.audit_chain computes it."
    )
