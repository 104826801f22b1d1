"""What the API keys are kept in: PostgreSQL (`GatewayStore`), or memory in tests."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from uuid import UUID

from services.gateway.auth.credentials import Caller, StoredKey
from services.gateway.domain import KeyView
from shared.postgres.database import Tx


class KeyStore(Protocol):
    """Both implementations pass tests/contract/gateway/test_key_admin.py."""

    async def add_key(
        self,
        tx: Tx,
        *,
        key_id: UUID,
        key_hash: bytes,
        caller: Caller,
        expires_at: datetime | None = None,
        created_by: UUID | None = None,
    ) -> bool: ...

    async def find_key(self, tx: Tx, key_hash: bytes) -> StoredKey | None: ...

    async def mark_key_used(self, tx: Tx, key_id: UUID) -> None: ...

    async def keys(
        self,
        tx: Tx,
        tenant_id: str,
        *,
        key_id: UUID | None = None,
        only: frozenset[str] | None = None,
        limit: int = 1000,
        offset: int = 0,
    ) -> list[KeyView]: ...

    async def count_keys(self, tx: Tx, tenant_id: str) -> int: ...

    async def revoke_key(self, tx: Tx, tenant_id: str, key_id: UUID) -> bool: ...
