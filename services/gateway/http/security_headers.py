"""Headers that keep a browser from running or framing what the gateway answers."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    # A browser that shows an answer loads and runs nothing of it. A page states a policy of its
    # own, which allows its style and nothing else.
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)


class SecurityHeaders:
    """Adds to every answer the headers that it does not state itself."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Serve one request."""

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                stated = list(message.get("headers", ()))
                names = {name.lower() for name, _ in stated}
                added = [header for header in SECURITY_HEADERS if header[0] not in names]
                message["headers"] = [*stated, *added]
            await send(message)

        await self._app(scope, receive, send_with_headers)
