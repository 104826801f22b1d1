"""An OAuth token endpoint that gives unsigned tokens, as Kafka's own test handler takes them."""

from __future__ import annotations

import base64
import json
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class TokenEndpoint:
    """Knows one client; counts what it was asked, and with which scopes."""

    def __init__(
        self, client_id: str, secret: str, *, lifetime_seconds: int = 300, redirects_to: str = ""
    ) -> None:
        self.client_id = client_id
        self.lifetime_seconds = lifetime_seconds
        self.redirects_to = redirects_to
        self.requests = 0
        self.scopes: list[str] = []
        pair = ":".join(map(urllib.parse.quote_plus, (client_id, secret)))
        self._basic = "Basic " + base64.b64encode(pair.encode()).decode()

    def answer(self, authorization: str, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        """Status and body for a request."""
        if authorization != self._basic:
            return 401, {"error": "invalid_client"}
        if form.get("grant_type") != ["client_credentials"]:
            return 400, {"error": "unsupported_grant_type"}
        self.scopes.append(form.get("scope", [""])[0])
        return 200, {"access_token": self._token(), "expires_in": self.lifetime_seconds}

    def _token(self) -> str:
        now = int(time.time())
        claims = {"sub": self.client_id, "iat": now, "exp": now + self.lifetime_seconds}
        return f"{_part({'alg': 'none'})}.{_part(claims)}."


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@contextmanager
def serving_tokens(endpoint: TokenEndpoint) -> Iterator[str]:
    """The endpoint's URL on this machine, while the block runs."""

    class TokenHandler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # What a redirected POST becomes.
            endpoint.requests += 1
            self.send_error(405)

        def do_POST(self) -> None:
            endpoint.requests += 1
            size = int(self.headers["Content-Length"])
            form = urllib.parse.parse_qs(self.rfile.read(size).decode())
            status, body = endpoint.answer(self.headers.get("Authorization", ""), form)
            content = json.dumps(body).encode()
            self.send_response(302 if endpoint.redirects_to else status)
            if endpoint.redirects_to:
                self.send_header("Location", endpoint.redirects_to)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            """Nothing: the test says what was asked."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), TokenHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/token"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
