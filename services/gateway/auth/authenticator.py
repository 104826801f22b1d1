"""Authentication by API key, with a cache that lets intake go on while the database is away."""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import UUID

from archon_contracts.identifiers import derived_id
from services.gateway.auth.credentials import (
    ALL_SCOPES,
    OPERATOR_TENANT,
    Caller,
    Scope,
    hash_key,
)
from services.gateway.auth.ports import KeyStore
from services.gateway.errors import NotAllowed, NotAuthenticated
from shared.postgres.database import Database

# How long a key that another process revoked still works, and a pause of the database is outlived.
CACHE_SECONDS = 30.0
MAX_CACHED_KEYS = 10_000


class ApiKeyAuthenticator:
    """Authenticates requests. A revoked key is refused within half a minute, here at once."""

    def __init__(
        self,
        database: Database,
        store: KeyStore,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._store = store
        self._monotonic = monotonic
        self._cached: dict[bytes, tuple[float, Caller]] = {}
        self._invalidations = 0

    async def bootstrap(self, key: str) -> None:
        """Add `key` to the operator's tenant with every scope, unless it exists."""
        key_hash = hash_key(key)
        caller = Caller(OPERATOR_TENANT, "bootstrap", ALL_SCOPES)
        async with self._database.transaction(caller.tenant_id) as tx:
            # Derived: each start of each gateway process adds the same row.
            key_id = derived_id("api-key", key_hash.hex())
            await self._store.add_key(tx, key_id=key_id, key_hash=key_hash, caller=caller)

    async def authenticate(self, key: str | None) -> Caller:
        """The owner of this key.

        Raises:
            NotAuthenticated: no key, or one that is unknown, revoked or expired.
        """
        if key is None:
            raise NotAuthenticated("send an API key as Authorization: Bearer <key>")
        key_hash = hash_key(key)
        until, caller = self._cached.get(key_hash, (0.0, None))
        if caller is not None and self._monotonic() < until:
            return caller
        return await self._look_up(key_hash)

    async def confirm(self, key: str | None) -> Caller:
        """The owner of this key, from the database and not from the cache.

        Raises:
            NotAuthenticated: no key, or one that is unknown, revoked or expired.
            DatabaseUnavailable: it cannot be decided now.
        """
        return await self._look_up(hash_key(key or ""))

    def invalidate(self, key_id: UUID) -> None:
        """Drop a revoked key from the cache, so that its next request is looked up."""
        # A look-up that began before the revocation may still return the key as valid.
        self._invalidations += 1
        self._cached = {h: known for h, known in self._cached.items() if known[1].key_id != key_id}

    async def _look_up(self, key_hash: bytes) -> Caller:
        invalidations = self._invalidations
        async with self._database.across_tenants() as tx:
            found = await self._store.find_key(tx, key_hash)
            if found is None:
                self._cached.pop(key_hash, None)
                raise NotAuthenticated("this API key is not known, was revoked, or has expired")
            if not found.used_today and found.caller.key_id is not None:
                await self._store.mark_key_used(tx, found.caller.key_id)
        if invalidations == self._invalidations:
            left = CACHE_SECONDS if found.seconds_left is None else found.seconds_left
            until = self._monotonic() + min(left, CACHE_SECONDS)
            self._cache_caller(key_hash, until, found.caller)
        return found.caller

    def _cache_caller(self, key_hash: bytes, until: float, caller: Caller) -> None:
        if len(self._cached) >= MAX_CACHED_KEYS:
            now = self._monotonic()
            self._cached = {h: known for h, known in self._cached.items() if known[0] > now}
        if len(self._cached) >= MAX_CACHED_KEYS:
            del self._cached[next(iter(self._cached))]  # the one cached for longest
        self._cached[key_hash] = (until, caller)


def require_scope(caller: Caller, scope: Scope) -> None:
    """Refuse a key without the scope.

    Raises:
        NotAllowed: the key lacks the scope.
    """
    if scope not in caller.scopes:
        raise NotAllowed(f"this key ({caller.name}) lacks the scope {scope.value!r}")
