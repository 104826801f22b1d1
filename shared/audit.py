"""The audit log: who changed what, and why, written in the transaction of the change.

Each service keeps a chain of entries per tenant; each entry holds the hash of the one before it
(`archon_contracts.audit_chain`). What is appended is also published, so that the newest hash is
held outside the database too.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from archon_contracts.audit_chain import ChainVerifier, compute_hash
from archon_contracts.events import AuditAction, AuditChange, AuditRecorded
from archon_contracts.identifiers import derived_id
from shared.logging import get_logger
from shared.messaging.messages import Cause
from shared.messaging.outbox import Outbox
from shared.ports import Clock
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries
from shared.telemetry.spans import current_traceparent, parse_traceparent

PAGE: Final = 500
MAX_TEXT: Final = 2_000
"""Longest text of an entry [characters]; an entry has some dozens of them."""
KEPT_TEXT: Final = 200
ChainKey = tuple[str, str]
"""Tenant and service."""

log = get_logger(__name__)
_queries = load_queries("shared")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """A change to record. Texts only, so that its serialised form, and its hash, is unique."""

    tenant_id: str
    actor: str
    action: AuditAction
    subject: str
    agent_id: str | None = None
    reason: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    changes: tuple[AuditChange, ...] = ()


class AuditLog:
    """Writes through the caller's transaction and never commits."""

    def __init__(self, service: str, outbox: Outbox, clock: Clock) -> None:
        self._service = service
        self._outbox = outbox
        self._clock = clock

    async def append(self, tx: Tx, entry: AuditEntry, *, cause: Cause, part: str = "") -> None:
        """Add an entry to its tenant's chain and publish it; once per cause, action and `part`.

        Locks the chain to the end of the transaction. Call it last: whoever holds this lock waits
        for no other, so that it is in no deadlock.
        """
        entry_id = self._entry_id(entry.action, cause, part)
        head = await _queries.lock_audit_head(tx, tenant_id=entry.tenant_id, chain=self._service)
        recorded = self._recorded(entry, entry_id, cause, head)
        if not await _queries.add_audit_entry(tx, **recorded.model_dump()):
            log.info("audit_entry_exists_already", entry_id=str(entry_id), action=entry.action)
            return
        # The copy outside the database is what shows that the end of a chain was cut off.
        await self._outbox.append(tx, recorded, cause=cause, part=str(entry_id))
        log.info(
            "audit_entry_appended",
            action=entry.action,
            actor=entry.actor,
            subject=entry.subject,
            sequence=recorded.sequence,
        )

    async def has_entry(self, tx: Tx, action: AuditAction, *, cause: Cause, part: str = "") -> bool:
        """Whether `append` added the entry of this cause, action and `part`; locks nothing."""
        entry_id = self._entry_id(action, cause, part)
        return bool(await _queries.has_audit_entry(tx, entry_id=entry_id))

    def _entry_id(self, action: AuditAction, cause: Cause, part: str) -> UUID:
        return derived_id("audit", self._service, cause.id, action, part)

    def _recorded(
        self, entry: AuditEntry, entry_id: UUID, cause: Cause, head: Mapping[str, Any]
    ) -> AuditRecorded:
        place = parse_traceparent(cause.traceparent or current_traceparent())
        fields: dict[str, Any] = {
            "tenant_id": entry.tenant_id,
            "chain": self._service,
            "sequence": head["sequence"] + 1,
            "entry_id": entry_id,
            "recorded_at": self._clock.now(),
            "actor": entry.actor,
            "action": entry.action.value,
            "agent_id": entry.agent_id,
            "subject": entry.subject,
            "reason": bound_text(entry.reason),
            "details": {name: bound_text(value) for name, value in entry.details.items()},
            "changes": [
                {name: bound_text(value) for name, value in change.model_dump().items()}
                for change in entry.changes
            ],
            "cause_id": cause.id,
            "trace_id": place.trace_id if place else "",
            "previous_hash": head["hash"],
        }
        return AuditRecorded(**fields, hash=compute_hash(fields))


def bound_text(text: str) -> str:
    """The text, or its beginning, length and digest where an entry could outgrow a record."""
    if len(text) <= MAX_TEXT:
        return text
    # A lone surrogate, which JSON can carry, must not keep a change from being recorded.
    content = text.encode(errors="surrogatepass")
    digest = hashlib.sha256(content).hexdigest()
    return f"{text[:KEPT_TEXT]}... ({len(content)} bytes, sha256 {digest})"


def describe_actor(requested_by: str, source: str) -> str:
    """The requester that a message names, or else its source."""
    return requested_by or f"unknown (source {source})"


async def verify_log(tx: Tx) -> dict[ChainKey, ChainVerifier]:
    """Every chain of the schema's log, recomputed from its rows; a page in memory at a time."""
    found: dict[ChainKey, ChainVerifier] = {}
    async for row in _entries(tx):
        found.setdefault((row["tenant_id"], row["chain"]), ChainVerifier()).add(row)
    return found


async def read_heads(tx: Tx) -> dict[ChainKey, tuple[int, str]]:
    """Sequence and hash of each chain's newest entry, from the head's row."""
    rows = _queries.audit_heads(tx)
    return {(r["tenant_id"], r["chain"]): (r["sequence"], r["hash"]) async for r in rows}


async def read_hash(tx: Tx, key: ChainKey, sequence: int) -> str | None:
    """The stored hash of one entry of a chain; None when there is no such row."""
    tenant_id, chain = key
    found: str | None = await _queries.audit_hash_at(
        tx, tenant_id=tenant_id, chain=chain, sequence=sequence
    )
    return found


async def _entries(tx: Tx) -> AsyncIterator[Mapping[str, Any]]:
    # Pages begin after the last key: with OFFSET each page would read all rows before it again.
    place: dict[str, Any] = {"tenant_id": "", "chain": "", "sequence": 0}
    while True:
        page = [row async for row in _queries.audit_entries_after(tx, **place, most=PAGE)]
        for row in page:
            yield row
        if len(page) < PAGE:
            return
        place = {name: page[-1][name] for name in place}
