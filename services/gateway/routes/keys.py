"""API keys: made, listed, revoked."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from archon_contracts.base import Identifier
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.domain import KeyView, NewKey
from services.gateway.http.field_limit import BoundedRoute
from services.gateway.key_admin import tenant_for
from services.gateway.requests import KeyWish
from services.gateway.routes.dependencies import Api, Most

Tenant = Annotated[
    Identifier | None, Query(description="Another tenant; the operator's keys alone name one.")
]


def build_router(api: Api) -> APIRouter:
    """Routes of API keys."""
    router = APIRouter(route_class=BoundedRoute, tags=["keys"], prefix="/keys")
    admin = api.caller(Scope.ADMIN)

    @router.post("", status_code=201)
    async def create_key(
        wish: KeyWish, request: Request, response: Response, caller: Caller = admin
    ) -> NewKey:
        """Make a key. Its text is shown this once: only a hash of it is kept."""
        response.headers["Cache-Control"] = "no-store"
        tenant = tenant_for(caller, wish.tenant_id)
        async with api.transactions.writing(tenant) as tx:
            order = await api.idempotency.asked(tx, caller, request, tenant)
            return await api.key_administration.create_key(tx, order, wish)

    @router.get("")
    async def list_keys(
        tenant_id: Tenant = None, limit: Most = 100, caller: Caller = admin
    ) -> dict[str, list[KeyView]]:
        """Keys, newest first, also those that were revoked or have expired."""
        async with api.transactions.reading(tenant_for(caller, tenant_id)) as tx:
            keys = await api.key_administration.list_keys(
                tx, caller, tenant_id=tenant_id, most=limit
            )
        return {"items": keys}

    @router.post("/{key_id}/revoke")
    async def revoke_key(
        key_id: UUID, request: Request, tenant_id: Tenant = None, caller: Caller = admin
    ) -> KeyView:
        """End a key: refused here at once, by every other gateway within 30 seconds."""
        tenant = tenant_for(caller, tenant_id)
        async with api.transactions.writing(tenant) as tx:
            order = await api.idempotency.asked(tx, caller, request, tenant)
            view = await api.key_administration.revoke_key(tx, order, key_id, tenant_id=tenant_id)
        api.keys.forget(key_id)
        return view

    return router
