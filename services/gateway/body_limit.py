"""A request body is refused as soon as it is too long, before it is in memory."""

from __future__ import annotations

from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException

Scope = MutableMapping[str, Any]


class BodyLimit:
    """Counts while the body is read; a declared length that is too long is refused at once."""

    def __init__(self, app: Any, *, most_bytes: int) -> None:
        self._app = app
        self._most = most_bytes

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        read = 0

        async def receive_counted() -> MutableMapping[str, Any]:
            nonlocal read
            if declared.isdigit() and int(declared) > self._most:
                raise self._too_large()
            message: MutableMapping[str, Any] = await receive()
            read += len(message.get("body", b""))
            if read > self._most:
                raise self._too_large()
            return message

        await self._app(scope, receive_counted, send)

    def _too_large(self) -> HTTPException:
        detail = f"the body is longer than {self._most} bytes; send less at once"
        return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
