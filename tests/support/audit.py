"""Audit entries: as a service hands them over, and as a chain of them is stored."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from archon_contracts.audit_chain import GENESIS_HASH, ChainVerifier, compute_hash
from archon_contracts.events import AuditAction, AuditRecorded
from archon_contracts.identifiers import derived_id
from shared.audit import AuditEntry
from shared.messaging.messages import Cause
from shared.postgres.database import Tx

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


class RecordingAudit:
    """Satisfies the services' audit logs; keeps what is appended, once per cause and action."""

    def __init__(self) -> None:
        self._kept: dict[tuple[UUID, str, str], AuditEntry] = {}

    async def append(self, _tx: object, entry: AuditEntry, *, cause: Cause, part: str = "") -> None:
        self._kept.setdefault((cause.id, entry.action, part), entry)

    async def has_entry(
        self, _tx: object, action: AuditAction, *, cause: Cause, part: str = ""
    ) -> bool:
        return (cause.id, action, part) in self._kept

    @property
    def entries(self) -> list[AuditEntry]:
        """What was appended, in order."""
        return list(self._kept.values())


def entry(subject: str = "1.0.0", **fields: Any) -> AuditEntry:
    """An entry to append."""
    values: dict[str, Any] = {
        "tenant_id": "acme",
        "actor": "ci (key 1)",
        "action": AuditAction.DEPLOYED,
        "subject": subject,
        "reason": "it is better",
        "details": {"previous_version": "0.9.0"},
    }
    return AuditEntry(**(values | fields))


def linked(*contents: dict[str, Any], chain: str = "registry") -> list[dict[str, Any]]:
    """A whole chain with these contents, each entry a row as it is stored."""
    rows: list[dict[str, Any]] = []
    for sequence, content in enumerate(contents, start=1):
        row = {
            "tenant_id": "acme",
            "chain": chain,
            "sequence": sequence,
            "entry_id": derived_id("entry", chain, sequence),
            "recorded_at": NOON,
            "actor": "ci (key 1)",
            "action": "deployed",
            "agent_id": "picker",
            "subject": "1.0.0",
            "reason": "",
            "details": {},
            "changes": [],
            "cause_id": derived_id("cause", sequence),
            "trace_id": "",
            "previous_hash": rows[-1]["hash"] if rows else GENESIS_HASH,
        } | content
        rows.append(row | {"hash": compute_hash(row)})
    return rows


def recorded(row: dict[str, Any]) -> AuditRecorded:
    """The event that reports a row."""
    return AuditRecorded(**row)


def checked(rows: list[dict[str, Any]]) -> ChainVerifier:
    """The check of a chain whose rows are read in order of sequence."""
    check = ChainVerifier()
    for row in sorted(rows, key=lambda row: row["sequence"]):
        check.add(row)
    return check


async def read_log(tx: Tx) -> list[dict[str, Any]]:
    """The rows of a service's log, in order."""
    return [dict(r) for r in await tx.fetch("SELECT * FROM audit_log ORDER BY chain, sequence")]
