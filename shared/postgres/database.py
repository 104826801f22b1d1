"""PostgreSQL through asyncpg: one pool, and the translation of driver errors.

A transaction is of one tenant, or of none, or across all of them: see `shared.postgres.tenants`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from traceback import walk_tb

import asyncpg
import orjson
from asyncpg.exceptions import _base as client_errors

from shared.errors import (
    AccessRefused,
    ConstraintViolated,
    DatabaseUnavailable,
    StartupFailed,
    TransactionConflict,
    ValueRefused,
)
from shared.postgres.sessions import begin_session, require_sessions
from shared.postgres.tenants import EVERY_TENANT, begin_in_scope
from shared.postgres.transactions import Tx as Tx

_UNAVAILABLE = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    # Out of disk, memory or connections, or a disk that fails: no message is to blame for these.
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
_NETWORK = (TimeoutError, OSError)
# The server's, and the client's own, which is an InterfaceError too: a number that fits no column.
_VALUE = (asyncpg.DataError, client_errors.DataError)
_CONFLICT = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Translate driver errors.

    Raises:
        DatabaseUnavailable: the server is away, closing, or out of disk or memory.
        TransactionConflict: a deadlock or serialisation failure.
        ConstraintViolated: a row broke a constraint, which is named.
        ValueRefused: a value that no column holds; its kind is named, not the value.
        AccessRefused: a row of another tenant, or a table that the role may not use.
    """
    try:
        yield
    except _CONFLICT as error:
        raise TransactionConflict(
            f"the transaction met another one: {_message_of(error)}"
        ) from error
    except asyncpg.IntegrityConstraintViolationError as error:
        name = error.constraint_name or "unnamed"
        # Not `from error`: its details are the row, which would show wherever a stack is logged.
        raise ConstraintViolated(
            f"constraint {name} refused the row: {_message_of(error)}", name
        ) from None
    except _VALUE as error:
        # Not `from error`, nor its words: both quote the value.
        raise ValueRefused(
            f"PostgreSQL cannot hold a value ({type(error).__name__}); "
            "send text without NUL characters, and numbers and times in range"
        ) from None
    except asyncpg.InsufficientPrivilegeError as error:
        raise AccessRefused(f"PostgreSQL refused access: {_message_of(error)}") from error
    except _UNAVAILABLE as error:
        raise DatabaseUnavailable(f"PostgreSQL is not reachable: {_message_of(error)}") from error
    except _NETWORK as error:
        if not _raised_by_driver(error):
            raise
        reason = str(error) or "no answer in time"
        raise DatabaseUnavailable(f"PostgreSQL is not reachable: {reason}") from error


@contextmanager
def readable_url() -> Iterator[None]:
    """What the driver says of a URL that it cannot parse are parts of it, the password's too.

    Raises:
        StartupFailed: the URL cannot be read; nothing of it is shown.
    """
    try:
        yield
    except ValueError:  # asyncpg's ClientConfigurationError is one
        raise StartupFailed(
            "ARCHON_DATABASE_URL cannot be read; write postgresql://user:password@host:port/name, "
            "with what is special in the password percent-encoded (/ is %2F)"
        ) from None


def _message_of(error: BaseException) -> str:
    """The message without its details, which quote rows; all of it for errors of other kinds."""
    return str(error.args[0]) if isinstance(error, asyncpg.PostgresError) else str(error)


def _raised_by_driver(error: BaseException) -> bool:
    """Whether asyncpg raised it, and not other file or network code of the block."""
    frames = (frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__))
    return any(name.split(".")[0] == "asyncpg" for name in frames)


async def _register_codecs(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name,
            encoder=lambda value: orjson.dumps(value).decode(),
            decoder=orjson.loads,
            schema="pg_catalog",
        )


async def connect(
    dsn: str, schema: str, *, role: str | None = None, command_seconds: float | None = None
) -> asyncpg.Connection[asyncpg.Record]:
    """One connection outside the pool, for locks that live as long as it does.

    A statement that takes longer than `command_seconds` fails; migrations may take any time.
    """
    with translated_errors(), readable_url():
        connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
            dsn,
            timeout=10,
            command_timeout=command_seconds,
            server_settings={"application_name": schema},
        )
        try:
            await begin_session(connection, schema, role)
            await _register_codecs(connection)
        except BaseException:
            connection.terminate()
            raise
    return connection


class Database:
    """The pool of one service, bound to the service's schema by `search_path`."""

    def __init__(
        self, dsn: str, schema: str, *, pool_size: int = 6, role: str | None = None
    ) -> None:
        self.dsn = dsn
        self.schema = schema
        self.role = role
        self._pool_size = pool_size
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def open(self, *, timeout_seconds: float) -> None:
        """Connect, waiting for a server that is still starting.

        Raises:
            StartupFailed: no connection within the time, no right to the role, or a pooler that
                keeps no session.
        """
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while True:
            try:
                with translated_errors(), readable_url():
                    await require_sessions(self.dsn)
                    self._pool = await self._create_pool()
                return
            except DatabaseUnavailable as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise StartupFailed(
                        f"PostgreSQL does not answer ({error}); check ARCHON_DATABASE_URL "
                        "and that the server runs"
                    ) from error
                await asyncio.sleep(0.1)
            except (AccessRefused, ValueRefused, asyncpg.PostgresError) as error:
                raise StartupFailed(self._refusal(error)) from error

    def _refusal(self, error: Exception) -> str:
        # A role that is not there is, to the server, a value that it cannot take.
        of_role = isinstance(error, ValueRefused) or (self.role or "") in str(error)
        if self.role is None or not of_role:
            return f"PostgreSQL refused the connection: {error}"
        return (
            f"PostgreSQL does not let the login act as ARCHON_DATABASE_ROLE {self.role} ({error}); "
            f"run `archon setup`, or as a superuser: CREATE ROLE {self.role} NOLOGIN; "
            f"GRANT {self.role} TO the login"
        )

    async def _create_pool(self) -> asyncpg.Pool[asyncpg.Record]:
        return await asyncpg.create_pool(
            self.dsn,
            min_size=1,
            max_size=self._pool_size,
            timeout=10,
            # A server that goes silent without closing would keep the statement for ever.
            command_timeout=60,
            # A firewall may drop an idle connection without a word to either end; and what a burst
            # opened is given back soon after it: a session takes 2 to 4 MB of the server.
            max_inactive_connection_lifetime=20,
            init=self._begin,
            # In place of RESET ALL and its like, a round trip of each transaction, which would
            # drop what the session was given.
            reset=_keep_session,
            server_settings={"application_name": self.schema},
        )

    async def _begin(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        await begin_session(connection, self.schema, self.role)
        await _register_codecs(connection)

    async def close(self, *, timeout_seconds: float = 5.0) -> None:
        """Close every connection, by force after so long."""
        if self._pool is None:
            return
        # First of all: whoever asks from now on gets DatabaseUnavailable and no
        # connection that closes.
        pool, self._pool = self._pool, None
        try:
            async with asyncio.timeout(timeout_seconds):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Tx]:
        """A connection without a transaction, for reads of what belongs to no tenant.

        Raises:
            DatabaseUnavailable: see `translated_errors`.
        """
        if self._pool is None:
            raise DatabaseUnavailable("the database pool is not open")
        with translated_errors():
            # Without a limit an exhausted pool would keep its caller for ever.
            async with self._pool.acquire(timeout=15) as connection:
                yield connection

    @asynccontextmanager
    async def transaction(self, tenant_id: str | None = None) -> AsyncIterator[Tx]:
        """One transaction: committed at the end of the block, rolled back when it raises.

        It sees and writes rows of this tenant alone; without one, no tenant's.

        Raises:
            AccessRefused: it would write a row of another tenant.
        """
        # No name begins with a star; should one get here all the same, it must not open
        # every tenant's rows.
        if tenant_id == EVERY_TENANT:
            raise AccessRefused(f"{EVERY_TENANT} is no tenant; see across_tenants")
        async with self._scoped(tenant_id) as tx:
            yield tx

    @asynccontextmanager
    async def across_tenants(self) -> AsyncIterator[Tx]:
        """One transaction that sees and writes the rows of every tenant."""
        async with self._scoped(EVERY_TENANT) as tx:
            yield tx

    @asynccontextmanager
    async def _scoped(self, tenant_id: str | None) -> AsyncIterator[Tx]:
        async with self.connection() as connection:
            try:
                await begin_in_scope(connection, tenant_id)
                yield connection
            except BaseException:
                # What cannot be rolled back here the pool ends, with the connection if need be.
                with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                    await connection.execute("ROLLBACK")
                raise
            await connection.execute("COMMIT")


async def _keep_session(_connection: Tx) -> None:
    """Nothing to reset: the driver ends an open transaction, and all else ends with that.

    Scopes and settings are of a transaction, cursors too; advisory locks of a session are held by
    connections of their own (`connect`), and nobody listens on a pooled one.
    """


@asynccontextmanager
async def savepoint(tx: Tx) -> AsyncIterator[None]:
    """A part of the transaction that is undone by itself when the block raises.

    Raises:
        RetryableError, PermanentError: driver errors, translated as by `translated_errors`.
    """
    with translated_errors():
        await tx.execute("SAVEPOINT part")  # one inside another hides that of the same name
        try:
            yield
        except BaseException:
            await tx.execute("ROLLBACK TO part; RELEASE part")
            raise
        await tx.execute("RELEASE part")
