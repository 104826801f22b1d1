"""Links that sign somebody in to the dashboard once."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from pydantic import Field

from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope, bearer_key
from services.gateway.auth.sessions import SIGN_IN_PATH, require_api_key
from services.gateway.http.field_limit import FieldLimitedRoute
from services.gateway.requests import RequestBody
from services.gateway.routes.dependencies import GatewayApi
from services.gateway.views.base import View

PATH = "/sign-in-links"


class SignInLinkRequest(RequestBody):
    """Where to go after sign-in."""

    next: str = Field(default="/", max_length=1000, pattern="^/", description="A page's path.")


class SignInLink(View):
    """A link as a path of this gateway; it works once."""

    path: str
    expires_at: datetime


def build_router(api: GatewayApi) -> APIRouter:
    """The route of sign-in links."""
    router = APIRouter(route_class=FieldLimitedRoute, tags=["keys"])
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.post(PATH, status_code=201)
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

    return router
