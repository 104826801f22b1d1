"""Requests of the intake, answered before the framework looks for a route.

A feedback event is some 300 bytes, so that what happens around it is most of its cost: routing,
dependencies and their exit stacks took as much of a core as reading, checking and sending it. The
routes stand in the application too, for the OpenAPI document, and have the same handlers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from services.gateway.http.problems import answer_refusal
from shared.errors import ArchonError

Handler = Callable[[Request], Awaitable[Response]]


class IntakeRequests:
    """Answers POST at the paths of `handlers`; everything else goes on.

    The innermost middleware: limits of bodies and admission come before.
    """

    def __init__(self, app: Any, *, handlers: Mapping[str, Handler]) -> None:
        self._app = app
        self._handlers = handlers

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Serve one request."""
        handler = self._handlers.get(scope["path"]) if scope["type"] == "http" else None
        if handler is None or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            response = await handler(request)
        except (ArchonError, HTTPException, ClientDisconnect) as error:
            response = answer_refusal(request, error)
        await response(scope, receive, send)
