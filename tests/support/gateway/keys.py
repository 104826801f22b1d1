"""API keys in memory, with a clock that a test sets."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.gateway.auth.credentials import Caller, StoredKey
from services.gateway.domain import KeyView
from shared.ports import Clock


@dataclass(slots=True)
class _Row:
    key_hash: bytes
    view: KeyView
    caller: Caller


class InMemoryKeyStore:
    """Passes the contract suite of the real store (tests/contract/gateway/test_key_admin.py)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: dict[UUID, _Row] = {}

    async def add_key(
        self,
        _tx: object,
        *,
        key_id: UUID,
        key_hash: bytes,
        caller: Caller,
        expires_at: datetime | None = None,
        created_by: UUID | None = None,
    ) -> bool:
        if key_id in self._rows or any(r.key_hash == key_hash for r in self._rows.values()):
            return False
        view = KeyView(
            id=key_id,
            tenant_id=caller.tenant_id,
            name=caller.name,
            scopes=sorted(caller.scopes),
            agents=None if caller.agents is None else sorted(caller.agents),
            created_at=self._clock.now(),
            created_by=created_by,
            expires_at=expires_at,
        )
        known = Caller(caller.tenant_id, caller.name, caller.scopes, key_id, agents=caller.agents)
        self._rows[key_id] = _Row(key_hash, view, known)
        return True

    async def find_key(self, _tx: object, key_hash: bytes) -> StoredKey | None:
        now = self._clock.now()
        for row in self._rows.values():
            if row.key_hash != key_hash or row.view.revoked_at:
                continue
            ends = row.view.expires_at
            left = (ends - now).total_seconds() if ends else None
            if left is None or left > 0:
                caller = replace(row.caller, expires_at=ends)
                return StoredKey(caller, left, row.view.last_used_on == now.date())
        return None

    async def mark_key_used(self, _tx: object, key_id: UUID) -> None:
        self._change(key_id, last_used_on=self._clock.now().date())

    async def keys(
        self,
        _tx: object,
        tenant_id: str,
        *,
        key_id: UUID | None = None,
        only: frozenset[str] | None = None,
        limit: int = 1000,
        offset: int = 0,
    ) -> list[KeyView]:
        mine = [row.view for row in self._rows.values() if row.view.tenant_id == tenant_id]
        if only is not None:
            mine = [view for view in mine if view.agents and only.issuperset(view.agents)]
        found = [view for view in mine if key_id in (None, view.id)]
        return sorted(found, key=lambda view: view.created_at, reverse=True)[
            offset : offset + limit
        ]

    async def count_keys(self, _tx: object, tenant_id: str) -> int:
        now = self._clock.now()
        mine = [row.view for row in self._rows.values() if row.view.tenant_id == tenant_id]
        good = [v for v in mine if not v.revoked_at and (not v.expires_at or v.expires_at > now)]
        return len(good)

    async def revoke_key(self, _tx: object, tenant_id: str, key_id: UUID) -> bool:
        row = self._rows.get(key_id)
        if row is None or row.view.tenant_id != tenant_id or row.view.revoked_at is not None:
            return False
        self._change(key_id, revoked_at=self._clock.now())
        return True

    def _change(self, key_id: UUID, **fields: object) -> None:
        row = self._rows[key_id]
        row.view = row.view.model_copy(update=fields)
