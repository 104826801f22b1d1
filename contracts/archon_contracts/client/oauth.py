"""OAUTHBEARER by client credentials (RFC 6749, 4.4): the token that a hosted Kafka wants."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Final

from archon_contracts.client.errors import MissingExtraError

try:
    from aiokafka.abc import AbstractTokenProvider
    from aiokafka.errors import AuthenticationFailedError
except ModuleNotFoundError as error:
    raise MissingExtraError("aiokafka", "kafka") from error

REQUEST_SECONDS: Final = 10.0
USED_FRACTION: Final = 0.8
"""A token is renewed before it ends: the broker drops the connection of one that has."""
DEFAULT_LIFETIME_SECONDS: Final = 300.0
"""Where the answer names none, which RFC 6749 allows."""


class TokenRefusedError(AuthenticationFailedError):  # type: ignore[misc]  # aiokafka ships no types
    """The token endpoint gives no token."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would send the client's secret to whatever address it names, also without TLS."""

    def redirect_request(self, *_: object) -> None:
        """Not followed: it becomes an HTTPError."""


@dataclass(slots=True)
class ClientCredentials(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka ships no types
    """Asks a token endpoint with a client's id and secret; one token serves all connections."""

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str = ""
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    _token: str = field(default="", init=False, repr=False)
    _renew_at: float = field(default=0.0, init=False)
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False)

    async def token(self) -> str:
        """A token that is valid now.

        Raises:
            TokenRefusedError: the endpoint does not give one; the text holds no secret.
        """
        # Connections are made side by side; each would ask for a token of its own.
        async with self._asking:
            if time.monotonic() >= self._renew_at:
                self._token, lifetime = await asyncio.to_thread(self._ask)
                self._renew_at = time.monotonic() + lifetime * USED_FRACTION
            return self._token

    def _ask(self) -> tuple[str, float]:
        form = {"grant_type": "client_credentials"} | ({"scope": self.scope} if self.scope else {})
        # RFC 6749, 2.3.1: both are form-encoded before they are joined.
        pair = ":".join(map(urllib.parse.quote_plus, (self.client_id, self.client_secret)))
        basic = base64.b64encode(pair.encode()).decode()
        request = urllib.request.Request(
            self.token_url,
            data=urllib.parse.urlencode(form).encode(),
            headers={"Authorization": f"Basic {basic}", "Accept": "application/json"},
        )
        try:
            opener = urllib.request.build_opener(
                _NoRedirects, urllib.request.HTTPSHandler(context=self.tls)
            )
            with opener.open(request, timeout=REQUEST_SECONDS) as answer:
                found = json.load(answer)
            return str(found["access_token"]), float(
                found.get("expires_in", DEFAULT_LIFETIME_SECONDS)
            )
        except urllib.error.HTTPError as error:
            reason = f"answers {error.code} {error.reason}"
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = f"gives no token ({type(error).__name__}: {error})"
        raise TokenRefusedError(f"the token endpoint {self.token_url} {reason}")
