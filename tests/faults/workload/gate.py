"""A gate before a write, built from outside with the database's own means.

A trigger makes every update of a table wait for an advisory lock. While the gate is shut, whoever
has done everything but that write stands exactly there, where a kill hurts most.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from tests.faults.waiting import until

LOCK = 5_771

BUILD = """
CREATE FUNCTION {schema}.wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock_shared({lock}); RETURN NULL; END $$;
CREATE TRIGGER gate BEFORE UPDATE ON {schema}.{table}
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.wait_at_gate();
"""
WAITING = """
SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted
"""


class LockGate:
    """Open or shut; whoever waits at it can be made to vanish."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self._connection = connection

    async def shut(self) -> None:
        """From now on marks wait."""
        await self._connection.execute("SELECT pg_advisory_lock($1)", LOCK)

    async def open(self) -> None:
        """Marks go through."""
        await self._connection.execute("SELECT pg_advisory_unlock($1)", LOCK)

    async def caught(self, *, timeout: float) -> bool:
        """Wait until somebody stands at the gate."""

        async def waits() -> bool:
            return bool(await self._connection.fetch(WAITING, LOCK))

        return await until(waits, timeout=timeout)

    async def drop_waiting(self) -> None:
        """End the sessions at the gate, as the death of their machine would; they mark nothing."""
        await self._connection.execute(
            f"SELECT pg_terminate_backend(pid, 5000) FROM ({WAITING}) AS waiting", LOCK
        )


@asynccontextmanager
async def gate(database_url: str, schema: str, table: str) -> AsyncIterator[LockGate]:
    """Build the gate before the updates of a table."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(BUILD.format(schema=schema, table=table, lock=LOCK))
        yield LockGate(connection)
    finally:
        connection.terminate()
