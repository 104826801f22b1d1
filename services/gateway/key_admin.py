"""Administration of API keys. A tenant exists once it has a key."""

from __future__ import annotations

from uuid import UUID

from archon_contracts.events import AuditAction
from services.gateway.audit.entries import build_entry
from services.gateway.auth.agent_binding import require_agents
from services.gateway.auth.credentials import (
    OPERATOR_TENANT,
    Caller,
    Scope,
    hash_key,
    new_key,
    parse_scopes,
)
from services.gateway.auth.ports import KeyStore
from services.gateway.auth.request_identity import RequestIdentity
from services.gateway.domain import KeyView, NewKey
from services.gateway.errors import Conflict, FieldError, Invalid, NotAllowed, NotFound
from services.gateway.requests import KeyRequest
from shared.audit import AuditLog
from shared.ports import Clock
from shared.postgres.database import Tx


class KeyAdministration:
    """Creates, lists and revokes keys. Takes `tx` and never commits."""

    def __init__(self, store: KeyStore, audit: AuditLog, clock: Clock, *, max_keys: int) -> None:
        self._max_keys = max_keys
        self._store = store
        self._audit = audit
        self._clock = clock

    async def create_key(self, tx: Tx, identity: RequestIdentity, request: KeyRequest) -> NewKey:
        """Create a key; its text is only in this answer.

        Raises:
            NotAllowed: the caller may not create keys of the tenant, with the scope, or for the
                agents.
            Invalid: it has expired already or would outlive the calling key, or `operate` is
                requested for another tenant.
            Conflict: the request was answered before, or the tenant has its maximum of keys.
        """
        tenant_id = resolve_tenant(identity.caller, request.tenant_id)
        _check_scopes(identity.caller, tenant_id, request.scopes)
        if request.expires_at is not None and request.expires_at <= self._clock.now():
            raise Invalid([FieldError("expires_at", "future", "choose a time in the future")])
        _check_expiry(identity.caller, request)
        _check_agents(identity.caller, request)
        if await self._store.count_keys(tx, tenant_id) >= self._max_keys:
            raise Conflict(
                f"tenant {tenant_id} has {self._max_keys} keys, the maximum; revoke some"
            )
        key = new_key()
        added = await self._store.add_key(
            tx,
            key_id=identity.id,
            key_hash=hash_key(key),
            caller=Caller(tenant_id, request.name, request.scopes, agents=request.agents),
            expires_at=request.expires_at,
            created_by=identity.caller.key_id,
        )
        if not added:
            raise Conflict(
                f"key {identity.id} was created by an earlier request and is shown only once; "
                "revoke it if it is lost, and repeat with another Idempotency-Key"
            )
        view = await self._find(tx, tenant_id, identity.id)
        entry = build_entry(
            identity,
            AuditAction.KEY_CREATED,
            identity.id,
            tenant_id=tenant_id,
            name=request.name,
            scopes=",".join(sorted(request.scopes)),
            agents=",".join(sorted(request.agents or ())) or "all",
            expires_at=request.expires_at,
        )
        await self._audit.append(tx, entry, cause=identity.cause())
        return NewKey(**view.model_dump(), key=key)

    async def list_keys(
        self, tx: Tx, caller: Caller, *, tenant_id: str | None, limit: int, offset: int = 0
    ) -> list[KeyView]:
        """A tenant's keys, newest first, also revoked and expired ones.

        A bound key sees those of its agents alone.

        Raises:
            NotAllowed: the caller may not manage the tenant.
        """
        only = caller.agents
        return await self._store.keys(
            tx, resolve_tenant(caller, tenant_id), only=only, limit=limit, offset=offset
        )

    async def revoke_key(
        self, tx: Tx, identity: RequestIdentity, key_id: UUID, *, tenant_id: str | None
    ) -> KeyView:
        """Revoke a key; a second time changes nothing.

        Raises:
            NotAllowed: the caller may not manage the tenant, or the key has a scope that the
                caller's lacks.
            NotFound: the tenant has no such key, or it is for agents to which the caller's is
                not bound.
            Conflict: it is the key of this request; the tenant could lock itself out.
        """
        tenant = resolve_tenant(identity.caller, tenant_id)
        if key_id == identity.caller.key_id:
            raise Conflict("a key cannot revoke itself; create another one and use that")
        view = await self._find(tx, tenant, key_id, only=identity.caller.agents)
        if excess := sorted(parse_scopes(view.scopes) - identity.caller.scopes):
            raise NotAllowed(
                f"this key ({identity.caller.name}) cannot revoke one with the scope "
                f"{excess[0].value!r}, which it lacks; use a key that has it"
            )
        if await self._store.revoke_key(tx, tenant, key_id):
            entry = build_entry(identity, AuditAction.KEY_REVOKED, key_id, tenant_id=tenant)
            await self._audit.append(tx, entry, cause=identity.cause(), part=str(key_id))
        return await self._find(tx, tenant, key_id)

    async def _find(
        self, tx: Tx, tenant_id: str, key_id: UUID, *, only: frozenset[str] | None = None
    ) -> KeyView:
        found = await self._store.keys(tx, tenant_id, key_id=key_id, only=only)
        if not found:
            raise NotFound("API key", key_id)
        return found[0]


def resolve_tenant(caller: Caller, wanted: str | None) -> str:
    """The tenant of a request about keys: the caller's, unless the operator names another.

    Raises:
        NotAllowed: only a key of the operator's tenant with `operate` may name another.
    """
    if wanted is None or wanted == caller.tenant_id:
        return caller.tenant_id
    if caller.tenant_id != OPERATOR_TENANT or Scope.OPERATE not in caller.scopes:
        raise NotAllowed(
            f"only keys of tenant {OPERATOR_TENANT!r} with the scope {Scope.OPERATE.value!r} "
            "manage other tenants"
        )
    return wanted


def _check_expiry(caller: Caller, request: KeyRequest) -> None:
    """A key that ends must not live on in one that it makes."""
    until = caller.expires_at
    if until is not None and (request.expires_at is None or request.expires_at > until):
        message = f"the calling key expires at {until.isoformat()}; choose that time or an earlier"
        raise Invalid([FieldError("expires_at", "outlives_caller", message)])


def _check_agents(caller: Caller, request: KeyRequest) -> None:
    """A bound key makes keys for a subset of its agents: never one for all."""
    if request.agents is not None and Scope.OPERATE in request.scopes:
        message = f"a key with {Scope.OPERATE.value!r} sees all agents; leave out one of the two"
        raise Invalid([FieldError("agents", "operate", message)])
    if caller.agents is None:
        return
    if request.agents is None:
        raise NotAllowed(
            f"this key ({caller.name}) is bound to agents; name some of them in `agents`"
        )
    require_agents(caller, sorted(request.agents))


def _check_scopes(caller: Caller, tenant_id: str, scopes: frozenset[Scope]) -> None:
    if excess := sorted(scopes - caller.scopes):
        raise NotAllowed(f"this key ({caller.name}) cannot grant the scope {excess[0].value!r}")
    if Scope.OPERATE in scopes and tenant_id != OPERATOR_TENANT:
        message = f"{Scope.OPERATE.value!r} sees all tenants; only {OPERATOR_TENANT!r} may have it"
        raise Invalid([FieldError("scopes", "operator_only", message)])
