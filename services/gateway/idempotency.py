"""Idempotency keys: a repeated request has no further effect, a different one is refused."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import Final

import orjson
from fastapi import Request

from archon_contracts.identifiers import derived_id
from services.gateway.auth.credentials import Caller
from services.gateway.auth.request_identity import RequestIdentity, identify_request
from services.gateway.errors import Conflict, FieldError, Invalid
from services.gateway.store import GatewayStore
from shared.postgres.database import Tx

RETENTION_DAYS: Final = 14
MAX_KEY_LENGTH: Final = 200


class Idempotency:
    """Remembers the request of each `Idempotency-Key`. Takes `tx` and never commits."""

    def __init__(self, store: GatewayStore) -> None:
        self._store = store

    async def identify(
        self, tx: Tx, caller: Caller, request: Request, tenant_id: str | None = None
    ) -> RequestIdentity:
        """The request with its id, which an `Idempotency-Key` fixes.

        `tenant_id` is the tenant of the transaction where that is not the caller's own.

        Raises:
            Conflict: the key was used with another body, or with another API key.
            Invalid: it is too long.
        """
        key = read_idempotency_key(request)
        if not key:
            return identify_request(caller)
        # With tenant and path: the same text of another tenant, or for another route,
        # is another request.
        request_id = derived_id("request", caller.tenant_id, request.url.path, key)
        digest = compute_request_digest(caller, request.url.query, await request.body())
        first = await self._store.claim_request(
            tx, tenant_id or caller.tenant_id, request_id, digest
        )
        if first != digest:
            raise Conflict(
                "this Idempotency-Key was used with another body or another API key; repeat that "
                "request unchanged, or use a new Idempotency-Key"
            )
        return identify_request(caller, request_id)

    async def prune(self, tx: Tx) -> None:
        """Delete keys after their retention."""
        await self._store.prune_requests(tx, keep_days=RETENTION_DAYS)


def read_idempotency_key(request: Request) -> str:
    """The `Idempotency-Key` header, or an empty text.

    Raises:
        Invalid: it is too long.
    """
    key = request.headers.get("idempotency-key", "")
    if len(key) > MAX_KEY_LENGTH:
        message = f"use at most {MAX_KEY_LENGTH} characters"
        raise Invalid([FieldError("Idempotency-Key", "too_long", message)])
    return key


def compute_request_digest(caller: Caller, query: str, body: bytes) -> bytes:
    """Digest of caller, query and body; order and spacing of JSON fields do not matter."""
    # Not JSON, or JSON that cannot be serialised again: the bytes themselves are compared.
    with suppress(orjson.JSONDecodeError, orjson.JSONEncodeError):
        body = orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    parts = (caller.actor.encode(), query.encode(), body)
    # Digests of the parts: parts put side by side could be divided in another place.
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
