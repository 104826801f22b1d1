"""Sessions of the dashboard: an API key is exchanged for a random token in a cookie.

The token's hash is stored beside the key's id, so the key's text is in no cookie, sign-out ends the
session at the server, and a revoked or expired key ends all of its sessions. The token is a
credential of its key: `ApiKeyAuthenticator` finds it as it finds the key, so that scopes, agents
and rate limits of a page are those of the API by the same code.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Final

from services.gateway.auth.credentials import Caller, Scope, hash_key
from services.gateway.errors import NotAuthenticated
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries

COOKIE: Final = "archon_session"
SIGN_IN_PATH: Final = "/sign-in"
SESSION_SECONDS: Final = 12 * 3600
TOKEN_PREFIX: Final = "session_"
LINK_SECONDS: Final = 300
LINK_PREFIX: Final = "link_"


class Sessions:
    """Takes `tx` and never commits."""

    def __init__(self) -> None:
        self._queries = load_queries("services.gateway")

    async def begin(self, tx: Tx, caller: Caller) -> str:
        """A new session of the caller's key; returns its token, which is stored nowhere.

        Raises:
            NotAuthenticated: the caller has no key of its own.
        """
        if caller.key_id is None:
            raise NotAuthenticated("only a stored API key can sign in")
        token = f"{TOKEN_PREFIX}{secrets.token_urlsafe(32)}"
        await self._queries.insert_session(
            tx,
            token_hash=hash_key(token),
            tenant_id=caller.tenant_id,
            key_id=caller.key_id,
            seconds=float(SESSION_SECONDS),
        )
        return token

    async def create_link(self, tx: Tx, caller: Caller) -> tuple[str, datetime]:
        """A token that begins one session of the caller's key, and when it ends.

        Raises:
            NotAuthenticated: the caller has no key of its own.
        """
        if caller.key_id is None:
            raise NotAuthenticated("only a stored API key can sign in")
        token = f"{LINK_PREFIX}{secrets.token_urlsafe(32)}"
        expires_at: datetime = await self._queries.insert_sign_in_link(
            tx,
            token_hash=hash_key(token),
            tenant_id=caller.tenant_id,
            key_id=caller.key_id,
            seconds=float(LINK_SECONDS),
        )
        return token, expires_at

    async def use_link(self, tx: Tx, token: str) -> Caller:
        """Use a link up; returns the owner of the key that it was made with.

        Raises:
            NotAuthenticated: it was used, has expired, or its key is good no more.
        """
        row = await self._queries.use_sign_in_link(tx, token_hash=hash_key(token))
        if row is None:
            raise NotAuthenticated("this link was used or has expired; `archon open` makes another")
        return Caller(
            tenant_id=row["tenant_id"],
            name=row["name"],
            scopes=frozenset(Scope(scope) for scope in row["scopes"]),
            key_id=row["id"],
            expires_at=row["expires_at"],
            agents=None if row["agents"] is None else frozenset(row["agents"]),
        )

    async def end(self, tx: Tx, token: str) -> None:
        """End a session; one that has ended already stays so."""
        await self._queries.delete_session(tx, token_hash=hash_key(token))

    async def prune(self, tx: Tx) -> None:
        """Delete sessions and links that have expired."""
        await self._queries.prune_sessions(tx)
        await self._queries.prune_sign_in_links(tx)


def require_api_key(text: str) -> str:
    """The API key that somebody signs in with, or makes a link with.

    Raises:
        NotAuthenticated: it is the token of a session, which must not make a longer one.
    """
    if text.startswith(TOKEN_PREFIX):
        raise NotAuthenticated("this is the token of a session; sign in with an API key")
    return text
