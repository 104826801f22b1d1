"""API keys: create, list, revoke."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from archon_contracts.base import Identifier
from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.domain import KeyView, NewKey
from services.gateway.http.field_limit import FieldLimitedRoute
from services.gateway.http.pages import PAGE, Page, PageRequest
from services.gateway.key_admin import resolve_tenant
from services.gateway.requests import KeyRequest
from services.gateway.routes.dependencies import GatewayApi

Tenant = Annotated[
    Identifier | None, Query(description="Another tenant; only for the operator's keys.")
]


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of API keys."""
    router = APIRouter(route_class=FieldLimitedRoute, tags=["keys"], prefix="/keys")
    admin = api.require_caller(Scope.ADMIN, bound=BoundKeys.APPLIED)

    @router.post("", status_code=201)
    async def create_key(
        body: KeyRequest, request: Request, response: Response, caller: Caller = admin
    ) -> NewKey:
        """Create a key. Its text is only in this answer: a hash of it is stored."""
        response.headers["Cache-Control"] = "no-store"
        tenant = resolve_tenant(caller, body.tenant_id)
        async with api.transactions.begin_write(tenant) as tx:
            identity = await api.idempotency.identify(tx, caller, request, tenant)
            return await api.key_administration.create_key(tx, identity, body)

    @router.get("")
    async def list_keys(
        tenant_id: Tenant = None, page: PageRequest = PAGE, caller: Caller = admin
    ) -> Page[KeyView]:
        """Keys, newest first, also those that were revoked or have expired."""
        async with api.transactions.begin_read(resolve_tenant(caller, tenant_id)) as tx:
            keys = await api.key_administration.list_keys(
                tx, caller, tenant_id=tenant_id, limit=page.rows, offset=page.offset
            )
        return page.build(keys)

    @router.post("/{key_id}/revoke")
    async def revoke_key(
        key_id: UUID, request: Request, tenant_id: Tenant = None, caller: Caller = admin
    ) -> KeyView:
        """Revoke a key: refused here at once, by other gateway processes within 30 seconds."""
        tenant = resolve_tenant(caller, tenant_id)
        async with api.transactions.begin_write(tenant) as tx:
            identity = await api.idempotency.identify(tx, caller, request, tenant)
            view = await api.key_administration.revoke_key(
                tx, identity, key_id, tenant_id=tenant_id
            )
        # After the commit: a look-up before it would cache the key as valid once more.
        api.authenticator.invalidate(key_id)
        return view

    return router
