"""The handbook."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.dashboard.pages import respond
from services.gateway.handbook.pages import INDEX, load_page
from services.gateway.routes.dependencies import GatewayApi


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of the handbook."""
    router = APIRouter(include_in_schema=False)
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.get("/handbook")
    async def show_index(request: Request, caller: Caller = reader) -> Response:
        """The list of pages."""
        return await _respond(request, caller, INDEX)

    @router.get("/docs")
    async def show_reference() -> Response:
        """The API reference; the usual viewers of OpenAPI would load scripts of another site."""
        return RedirectResponse("/handbook/api", HTTPStatus.TEMPORARY_REDIRECT)

    @router.get("/handbook/{name}")
    async def show_page(name: str, request: Request, caller: Caller = reader) -> Response:
        """A page."""
        return await _respond(request, caller, name)

    return router


async def _respond(request: Request, caller: Caller, name: str) -> Response:
    # In a thread: the reference is long, and is rendered once.
    page = await asyncio.to_thread(load_page, name)
    return await respond(request, "handbook.html", caller, page=page)
