"""Which key belongs to whom, remembered for a while so that intake outlives a database pause."""

from __future__ import annotations

import time
from typing import Protocol
from uuid import UUID

from archon_contracts.identifiers import derived_id
from services.gateway.credentials import ALL_SCOPES, Caller, Scope, hash_key
from services.gateway.errors import NotAllowed, NotAuthenticated
from shared.database import Database, Tx

REMEMBERED_SECONDS = 30.0
BOOTSTRAP_TENANT = "default"


class KeyStore(Protocol):
    """What is needed of the store."""

    async def find_caller(self, tx: Tx, key_hash: bytes) -> Caller | None: ...

    async def add_key(self, tx: Tx, *, key_id: UUID, key_hash: bytes, caller: Caller) -> None: ...


class ApiKeys:
    """Authenticates requests. A revoked key is refused within half a minute."""

    def __init__(self, database: Database, store: KeyStore) -> None:
        self._database = database
        self._store = store
        self._known: dict[bytes, tuple[float, Caller]] = {}

    async def bootstrap(self, key: str) -> None:
        """Make `key` one of the default tenant with every scope, unless it exists."""
        key_hash = hash_key(key)
        caller = Caller(BOOTSTRAP_TENANT, "bootstrap", ALL_SCOPES)
        async with self._database.transaction(caller.tenant_id) as tx:
            key_id = derived_id("api-key", key_hash.hex())
            await self._store.add_key(tx, key_id=key_id, key_hash=key_hash, caller=caller)

    async def authenticate(self, key: str | None, scope: Scope) -> Caller:
        """Who sent this key.

        Raises:
            NotAuthenticated: no key, or an unknown one.
            NotAllowed: the key lacks the scope.
        """
        if key is None:
            raise NotAuthenticated("send an API key as Authorization: Bearer <key>")
        caller = await self._caller(hash_key(key))
        if scope not in caller.scopes:
            raise NotAllowed(f"this key ({caller.name}) lacks the scope {scope.value!r}")
        return caller

    async def _caller(self, key_hash: bytes) -> Caller:
        until, caller = self._known.get(key_hash, (0.0, None))
        if caller is not None and time.monotonic() < until:
            return caller
        async with self._database.across_tenants() as tx:
            caller = await self._store.find_caller(tx, key_hash)
        if caller is None:
            self._known.pop(key_hash, None)
            raise NotAuthenticated("this API key is not known")
        self._known[key_hash] = (time.monotonic() + REMEMBERED_SECONDS, caller)
        return caller
