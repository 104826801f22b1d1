"""Sign in with an API key, and sign out."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from services.gateway.auth.authenticator import require_scope
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.auth.sessions import (
    COOKIE,
    LINK_PREFIX,
    SESSION_SECONDS,
    SIGN_IN_PATH,
    require_api_key,
)
from services.gateway.dashboard.browser import read_next
from services.gateway.dashboard.forms import read_form
from services.gateway.dashboard.pages import respond
from services.gateway.errors import NotAllowed, NotAuthenticated
from services.gateway.routes.dependencies import GatewayApi

MAX_TOKEN: Final = 100


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of sessions."""
    router = APIRouter(include_in_schema=False)

    @router.get(SIGN_IN_PATH)
    async def show_sign_in(request: Request, next: str = "/", link: str = "") -> Response:
        """The form; somebody who is signed in may sign in with another key.

        A link shows a button and uses nothing up: programs that look at links in messages would,
        and a page of another site could sign somebody in without their knowledge.
        """
        target, link = read_next(next), link[:MAX_TOKEN]
        return await respond(request, "sign_in.html", target=target, link=link, refusal=None)

    @router.post(SIGN_IN_PATH)
    async def sign_in(request: Request) -> Response:
        """Exchange a key or a link for a session, and go where somebody wanted to go."""
        fields, _ = await read_form(request)
        target = read_next(fields.get("next", "/"))
        try:
            caller = await _authenticate(api, request, fields)
        except (NotAuthenticated, NotAllowed) as refusal:
            status = (
                HTTPStatus.UNAUTHORIZED
                if isinstance(refusal, NotAuthenticated)
                else HTTPStatus.FORBIDDEN
            )
            return await respond(
                request, "sign_in.html", status=status, target=target, link="", refusal=str(refusal)
            )
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            token = await api.sessions.begin(tx, caller)
        response = RedirectResponse(target, HTTPStatus.SEE_OTHER)
        response.set_cookie(
            COOKIE,
            token,
            max_age=SESSION_SECONDS,
            httponly=True,
            # Not `strict`: a link to a page in a chat would then ask to sign in again. What changes
            # something is a POST, for which `lax` sends no cookie, and whose sender is checked.
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return response

    @router.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        """End the session at the server, in every tab."""
        token = request.cookies.get(COOKIE, "")
        caller = await api.authenticator.authenticate(token)
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            await api.sessions.end(tx, token)
        if caller.key_id is not None:
            # After the commit, as when a key is revoked; the key itself is looked up once more.
            api.authenticator.invalidate(caller.key_id)
        response = RedirectResponse(SIGN_IN_PATH, HTTPStatus.SEE_OTHER)
        response.delete_cookie(COOKIE)
        return response

    return router


async def _authenticate(api: GatewayApi, request: Request, fields: Mapping[str, str]) -> Caller:
    """The owner of the key, or of the link, that was sent.

    Raises:
        NotAuthenticated: neither is good.
        NotAllowed: the key lacks the scope `read`.
    """
    address = request.client.host if request.client else ""
    link = fields.get("link", "")
    if link.startswith(LINK_PREFIX):
        # In another transaction than the session's: a link is used up also when that fails.
        async with api.transactions.across_tenants() as tx:
            caller = await api.sessions.use_link(tx, link)
    else:
        key = require_api_key(fields.get("key", "").strip()) or None
        caller = await api.admission.authenticate(key=key, address=address)
    require_scope(caller, Scope.READ)
    return caller
