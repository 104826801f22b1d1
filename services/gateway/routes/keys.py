"""API keys: create, list, revoke; and links that sign their owners in once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from archon_contracts.base import Identifier
from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope, bearer_key
from services.gateway.auth.sessions import SIGN_IN_PATH, require_api_key
from services.gateway.domain import KeyView, NewKey
from services.gateway.http.field_limit import FieldLimitedRoute
from services.gateway.http.pages import PAGE, Page, PageRequest
from services.gateway.key_admin import resolve_tenant
from services.gateway.requests import KeyRequest, RequestBody
from services.gateway.routes.dependencies import GatewayApi
from services.gateway.views.base import View

Tenant = Annotated[
    Identifier | None, Query(description="Another tenant; only for the operator's keys.")
]


class SignInLinkRequest(RequestBody):
    """Where to go after sign-in."""

    next: str = Field(default="/", max_length=1000, pattern="^/", description="A page's path.")


class SignInLink(View):
    """A link as a path of this gateway; it works once."""

    path: str
    expires_at: datetime


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of API keys."""
    router = APIRouter(route_class=FieldLimitedRoute, tags=["keys"])
    admin = api.require_caller(Scope.ADMIN, bound=BoundKeys.APPLIED)

    @router.post("/keys", status_code=201)
    async def create_key(
        body: KeyRequest, request: Request, response: Response, caller: Caller = admin
    ) -> NewKey:
        """Create a key. Its text is only in this answer: a hash of it is stored."""
        response.headers["Cache-Control"] = "no-store"
        tenant = resolve_tenant(caller, body.tenant_id)
        async with api.transactions.begin_write(tenant) as tx:
            identity = await api.idempotency.identify(tx, caller, request, tenant)
            return await api.key_administration.create_key(tx, identity, body)

    @router.get("/keys")
    async def list_keys(
        tenant_id: Tenant = None, page: PageRequest = PAGE, caller: Caller = admin
    ) -> Page[KeyView]:
        """Keys, newest first, also those that were revoked or have expired."""
        async with api.transactions.begin_read(resolve_tenant(caller, tenant_id)) as tx:
            keys = await api.key_administration.list_keys(
                tx, caller, tenant_id=tenant_id, limit=page.rows, offset=page.offset
            )
        return page.build(keys)

    @router.post("/keys/{key_id}/revoke")
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

    _add_sign_in_links(router, api)
    return router


def _add_sign_in_links(router: APIRouter, api: GatewayApi) -> None:
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.post("/sign-in-links", status_code=201)
    async def create_sign_in_link(
        request: Request,
        response: Response,
        body: SignInLinkRequest | None = None,
        caller: Caller = reader,
    ) -> SignInLink:
        """A link to the dashboard that begins one session of the calling key, within 5 minutes."""
        response.headers["Cache-Control"] = "no-store"
        require_api_key(bearer_key(request.headers.get("authorization", "")) or "")
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            token, expires_at = await api.sessions.create_link(tx, caller)
        query = urlencode({"link": token, "next": (body or SignInLinkRequest()).next})
        return SignInLink(path=f"{SIGN_IN_PATH}?{query}", expires_at=expires_at)
