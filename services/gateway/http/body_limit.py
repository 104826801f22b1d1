"""Limits of request bodies: length, time to arrive, and no compression."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, MutableMapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

Scope = MutableMapping[str, Any]


class BodyLimit:
    """Counts bytes while the body is read; a declared length above the limit is refused at once.

    The whole body must arrive within `max_seconds` of the first read: a client cannot keep a
    request open with single bytes.

    Compressed bodies are accepted only at `compressed_paths`, whose routes bound the
    decompressed size.
    """

    def __init__(
        self,
        app: Any,
        *,
        max_bytes: int,
        max_seconds: float,
        compressed_paths: Collection[str] = (),
    ) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._max_seconds = max_seconds
        self._compressed_paths = compressed_paths

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        read = 0
        until: float | None = None
        complete = False

        async def receive_counted() -> MutableMapping[str, Any]:
            nonlocal read, until, complete
            if declared_length(request) > self._max_bytes:
                raise self._too_large()
            # From the first read on: the time that the request waited before is not the client's.
            until = until or asyncio.get_running_loop().time() + self._max_seconds
            # After the body the server waits for the client to disconnect, without a limit.
            message = await self._receive_in_time(receive, None if complete else until)
            complete = not message.get("more_body", False)
            if message.get("body"):
                self._reject_compressed(request)
            read += len(message.get("body", b""))
            if read > self._max_bytes:
                raise self._too_large()
            return message

        await self._app(scope, receive_counted, send)

    async def _receive_in_time(self, receive: Any, until: float | None) -> MutableMapping[str, Any]:
        try:
            async with asyncio.timeout_at(until):
                message: MutableMapping[str, Any] = await receive()
                return message
        except TimeoutError as error:
            detail = f"the body did not arrive within {self._max_seconds:g} s; send it again"
            # The rest of the body would be read as the next request.
            raise HTTPException(
                HTTPStatus.REQUEST_TIMEOUT, detail, {"Connection": "close"}
            ) from error

    def _reject_compressed(self, request: Request) -> None:
        encoding = request.headers.get("content-encoding", "identity").lower()
        if encoding != "identity" and request.url.path not in self._compressed_paths:
            detail = f"the body is compressed ({encoding[:100]}); send it uncompressed"
            raise HTTPException(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, {"Accept-Encoding": "identity"}
            )

    def _too_large(self) -> HTTPException:
        detail = f"the body is longer than {self._max_bytes} bytes; send less at once"
        return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)


def declared_length(request: Request) -> int:
    """The declared length of the body; 0: none declared."""
    declared = request.headers.get("content-length", "")
    return int(declared) if declared.isdecimal() else 0
