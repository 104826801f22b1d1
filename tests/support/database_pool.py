"""Databases for tests, used one after another: each is as new whenever it is handed out.

Making a database copies 900 files and dropping it removes them: half a second of a core, for some
six hundred tests. Emptying the few tables that a test wrote to takes a tenth of that.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import asyncpg

from deploy.local.servers.postgres import ROLE
from tests.support.eventually import eventually

# Whatever a test may do besides writing rows leaves a new row version in one of these, or one less:
# DDL, grants, policies, triggers that were switched off, and the statistics of an ANALYZE.
CATALOGS = (
    *("pg_attrdef", "pg_attribute", "pg_class", "pg_constraint", "pg_db_role_setting"),
    *("pg_default_acl", "pg_event_trigger", "pg_extension", "pg_index", "pg_policy", "pg_proc"),
    *("pg_rewrite", "pg_sequence", "pg_statistic", "pg_statistic_ext_data", "pg_trigger"),
    # The schemas of temporary tables stay when those have gone with their sessions.
    *("pg_type", "(SELECT xmin FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_') schemas"),
)
TABLES = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND pg_relation_size(c.oid) > 0
"""
END_SESSIONS = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
# Those of an audit log fire in every session. Emptying a table empties those that refer to it.
TRIGGERS = """
WITH RECURSIVE emptied (id) AS (
    SELECT unnest($1::text[])::regclass::oid
    UNION SELECT conrelid FROM pg_constraint JOIN emptied ON confrelid = id WHERE contype = 'f'
)
SELECT tgrelid::regclass::text, quote_ident(tgname) FROM pg_trigger JOIN emptied ON tgrelid = id
WHERE tgenabled = 'A' AND NOT tgisinternal
"""
# An insert that was rolled back has advanced its sequence and left its table as it was.
RESET_SEQUENCES = """
SELECT setval(seqrelid, seqstart, false) FROM pg_sequence
WHERE pg_sequence_last_value(seqrelid) IS NOT NULL
"""


@dataclass(slots=True)
class DatabasePool:
    """Copies of a template; `superuser_url` is the server's, with any database.

    One whose schema, rights or planner statistics a test changed is dropped, not used again.
    """

    superuser_url: str
    template: str
    prefix: str = "test"
    free: list[str] = field(default_factory=list)
    made: int = 0
    _states: dict[str, str] = field(default_factory=dict)
    _seeded: tuple[str, ...] = ()

    async def open(self) -> None:
        """Note what the template holds; it must not change from now on."""
        connection = await self._connect(self.template)
        try:
            # The migrations' own records, which every copy is to keep.
            self._seeded = tuple(row[0] for row in await connection.fetch(TABLES))
            self._states[self.template] = await self._state(connection)
        finally:
            await connection.close()

    async def take(self) -> str:
        """The name of a database that nobody else uses until it is put back."""
        if self.free:
            return self.free.pop()
        self.made += 1
        name = f"{self.prefix}_{self.made}"
        # Copying files takes a third of the time of the default, which writes every page to the
        # log; what makes it slow elsewhere, two checkpoints, costs little without fsync.
        await self._execute(
            f"CREATE DATABASE {name} OWNER {ROLE} TEMPLATE {self.template} STRATEGY FILE_COPY"
        )
        self._states[name] = self._states[self.template]
        return name

    async def put_back(self, name: str) -> None:
        """Empty a database for the next test, or drop it; sessions of the last one are ended."""
        if await self._emptied(name):
            self.free.append(name)
            return
        await drop_database(self.url_of("postgres"), name)

    async def _emptied(self, name: str) -> bool:
        """Remove all rows but those of the template; whether all the rest is as it was."""
        connection = await self._connect(name)
        try:
            await connection.execute(END_SESSIONS)
            if await self._state(connection) != self._states[name]:
                return False
            written = {row[0] for row in await connection.fetch(TABLES)} - set(self._seeded)
            if written:
                await self._truncate(connection, sorted(written))
            await connection.execute(RESET_SEQUENCES)
            self._states[name] = await self._state(connection)
        finally:
            await connection.close()
        return True

    async def _truncate(
        self, connection: asyncpg.Connection[asyncpg.Record], tables: list[str]
    ) -> None:
        """Empty tables, also those whose triggers refuse it to everybody."""
        # Switches off the triggers that fire in ordinary sessions.
        await connection.execute("SET session_replication_role = replica")
        refusing = [tuple(row) for row in await connection.fetch(TRIGGERS, tables)]
        async with connection.transaction():
            for table, trigger in refusing:
                await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
            await connection.execute(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE")
            for table, trigger in refusing:
                await connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")

    async def _state(self, connection: asyncpg.Connection[asyncpg.Record]) -> str:
        """What a change of the schema, the rights, statistics or the template's rows changes."""
        counted = " UNION ALL ".join(
            f"SELECT {n} AS n, count(*), max(xmin::text::bigint) AS newest FROM {table}"
            for n, table in enumerate((*CATALOGS, *self._seeded))
        )
        query = f"SELECT string_agg(all_of::text, ' ' ORDER BY n) FROM ({counted}) all_of"
        return str(await connection.fetchval(query))

    async def _execute(self, statement: str) -> None:
        connection = await self._connect("postgres")
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def _connect(self, database: str) -> asyncpg.Connection[asyncpg.Record]:
        return await asyncpg.connect(self.url_of(database))

    def url_of(self, database: str) -> str:
        """The superuser's URL of a database."""
        return f"{self.superuser_url.rpartition('/')[0]}/{database}"


async def drop_database(url: str, name: str) -> None:
    """Drop a database, once no vacuum worker of the server is at work in it; `url` is another's."""

    async def dropped() -> bool:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        except asyncpg.InsufficientPrivilegeError:
            return False
        finally:
            await connection.close()
        return True

    await eventually(dropped, timeout=30)
