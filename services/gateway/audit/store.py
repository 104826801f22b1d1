"""The gateway's copy of the audit logs: kept as received, and read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from archon_contracts.audit_chain import GENESIS_HASH
from archon_contracts.events import AuditRecorded
from services.gateway.audit.entries import AuditEntryView
from services.gateway.store import to_array
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries


class AuditStore:
    """One method per query; never commits."""

    def __init__(self) -> None:
        self._queries = load_queries("services.gateway")

    async def add(self, tx: Tx, event: AuditRecorded) -> None:
        """Keep an entry; the same one again is a no-op."""
        await self._queries.insert_audit_copy(tx, **event.model_dump())

    async def newest(
        self,
        tx: Tx,
        tenant_id: str,
        *,
        agent_id: str | None,
        only: Collection[str] | None,
        action: str | None,
        since: datetime | None,
        limit: int,
        offset: int = 0,
    ) -> list[AuditEntryView]:
        """A tenant's newest entries."""
        rows = self._queries.newest_audit_entries(
            tx,
            tenant_id=tenant_id,
            agent_id=agent_id,
            agents=to_array(only),
            action=action,
            since=since,
            limit=limit,
            offset=offset,
        )
        return [AuditEntryView(**dict(row)) async for row in rows]

    async def page(
        self, tx: Tx, tenant_id: str | None, after: Mapping[str, Any] | None, *, limit: int
    ) -> list[Mapping[str, Any]]:
        """What comes after an entry, chain by chain, of one tenant or all."""
        place = after or {
            "tenant_id": tenant_id or "",
            "chain": "",
            "sequence": 0,
            "hash": GENESIS_HASH,
        }
        names = ("tenant_id", "chain", "sequence", "hash")
        rows = self._queries.audit_copy_after(
            tx, tenant=tenant_id, **{name: place[name] for name in names}, limit=limit
        )
        return [row async for row in rows]
