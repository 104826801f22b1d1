"""What a service needs of a database session, set by statements.

Poolers in front of PostgreSQL, such as PgBouncer, refuse or ignore `role` and `search_path` as
start-up parameters. A pooler that gives each transaction another session cannot be worked with:
row locks of the outbox, role and prepared statements belong to a session.
"""

from __future__ import annotations

import asyncio
from typing import Final, TypeAlias

import asyncpg

from shared.errors import DatabaseUnavailable, StartupFailed

PROBE_SECONDS: Final = 10.0
NO_TRANSACTIONS: Final = -1
_PROCESS: Final = "SELECT pg_backend_pid()"
_SESSION: Final = (
    "SELECT set_config('role', coalesce($2, current_setting('role')), false), "
    "set_config('search_path', $1, false)"
)

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def begin_session(connection: Connection, schema: str, role: str | None) -> None:
    """Act as this role, in this schema; without a role as the login."""
    await connection.execute(_SESSION, schema, role)


async def require_sessions(dsn: str) -> None:
    """Refuse a pooler that gives each transaction another session.

    Raises:
        StartupFailed: it does; the message says what to set.
        DatabaseUnavailable: it has no session for us in time.
    """
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            await _require_sessions(dsn)
    except TimeoutError as error:
        raise DatabaseUnavailable(
            f"no session was given within {PROBE_SECONDS:g} s; a pooler needs a default_pool_size "
            "for all connections of the services"
        ) from error


async def _require_sessions(dsn: str) -> None:
    first = await _connect(dsn)
    try:
        own = await _process_of(first)
        # Without a pooler the server states its own process when it connects.
        if own != first.get_server_pid() and not await _keeps_session(first, own, dsn):
            raise StartupFailed(
                "ARCHON_DATABASE_URL leads to a pooler that gives each transaction another "
                "session (PgBouncer: pool_mode = transaction or statement), and locks and role "
                "belong to a session: set pool_mode = session, or name PostgreSQL itself"
            )
    finally:
        first.terminate()


async def _keeps_session(first: Connection, own: int, dsn: str) -> bool:
    if own == NO_TRANSACTIONS:
        return False
    second = await _connect(dsn)
    try:
        async with second.transaction():
            if await second.fetchval(_PROCESS) == own:
                return False
            # Its session, were it free, is now taken: whoever is given sessions gets another one.
            return await _process_of(first) == own
    finally:
        second.terminate()


async def _process_of(connection: Connection) -> int:
    try:
        async with connection.transaction():
            process: int = await connection.fetchval(_PROCESS)
            return process
    except asyncpg.PostgresError as error:
        # PgBouncer's own words; statement pooling takes no transaction at all.
        if "statement pooling" in str(error):
            return NO_TRANSACTIONS
        raise


async def _connect(dsn: str) -> Connection:
    # Without names for statements: another client may have used them on this session.
    return await asyncpg.connect(dsn, timeout=PROBE_SECONDS, statement_cache_size=0)
