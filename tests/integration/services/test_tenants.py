"""Every table of every service: no tenant sees, changes or makes another one's rows."""

import contextlib
from collections.abc import AsyncIterator

import asyncpg
import pytest

from archon_contracts.topics import SERVICES
from shared.errors import AccessRefused, ConstraintViolated
from shared.postgres.database import Database, Tx
from shared.postgres.migrations import TELEMETRY_SCHEMA
from shared.postgres.tenants import SERVICES_ROLE
from tests.support.messaging.tenant_rows import Table, fill, rows_of, tables_of

ALPHA, BETA = "alpha", "beta"
SCHEMAS = (*SERVICES, TELEMETRY_SCHEMA)
OF_NO_TENANT = {
    "inbox": "ids alone",
    "outbox": "the relay sends everybody's messages; nobody else reads it",
    "work": "the worker takes everybody's work, one piece at a time in its tenant's scope",
    "deliveries": "places on topics alone",
    "migrations": "names of files",
    "workers": "machines; they serve everybody",
    "dead_letters": "for operators, who have a scope of their own",
    "pending_counts": "the coordinator alone publishes them; a row has many tenants' counts",
    "scores": "named by the content that was scored; whoever finds one has that content",
    "logs": "for operators; no route shows them",
    "metrics": "for operators; no route shows them",
}
WITHOUT_TENANT = """
    SELECT c.relname AS name FROM pg_class c
    WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND NOT EXISTS (SELECT FROM pg_attribute a
                      WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
"""
UNBOUND = """
    SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND a.attname = 'tenant_id' AND NOT a.attisdropped
      AND NOT (row_security_active(c.oid)
               AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polcmd = '*'))
"""

REFUSED = "refused"  # what is only ever added to
NOTHING_CHANGED = {"UPDATE 0", "DELETE 0", REFUSED}

each_schema = pytest.mark.parametrize("schema", SCHEMAS)


@contextlib.asynccontextmanager
async def opened(url: str, schema: str) -> AsyncIterator[Database]:
    """A service's database, as the service has it."""
    database = Database(url, schema, pool_size=2, role=SERVICES_ROLE)
    await database.open(timeout_seconds=5)
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
async def database(schema: str, database_url: str) -> AsyncIterator[Database]:
    """With a row of both tenants in each table."""
    async with opened(database_url, schema) as database:
        for tenant_id in (ALPHA, BETA):
            await fill(database, tenant_id, await tables_of(database))
        yield database


async def names_by(database: Database, query: str) -> set[str]:
    async with database.connection() as connection:
        return {row["name"] for row in await connection.fetch(query, database.schema)}


async def count(tx: Tx, table: Table) -> int:
    return int(await tx.fetchval(f"SELECT count(*) FROM {table.name}"))


@each_schema
async def test_a_table_belongs_to_tenants_or_is_named_here(schema: str, database_url: str) -> None:
    async with opened(database_url, schema) as database:
        assert await names_by(database, WITHOUT_TENANT) - set(OF_NO_TENANT) == set()
        assert await tables_of(database)


@each_schema
async def test_every_table_of_tenants_has_a_policy_that_binds_the_services(
    schema: str, database_url: str
) -> None:
    async with opened(database_url, schema) as database:
        assert await names_by(database, UNBOUND) == set()


@each_schema
async def test_a_tenant_sees_its_own_rows_alone(database: Database) -> None:
    for table in await tables_of(database):
        async with database.transaction(ALPHA) as tx:
            owners = await tx.fetch(f"SELECT tenant_id FROM {table.name}")
        assert [row["tenant_id"] for row in owners] == [ALPHA], table.name


@each_schema
async def test_a_tenant_changes_and_removes_nothing_of_another(database: Database) -> None:
    tables = await tables_of(database)
    before = await rows_of(database, BETA, tables)
    for table in tables:
        column = next(c["name"] for c in table.columns if c["name"] != "tenant_id")
        set_and_where = f"SET {column} = {column} WHERE tenant_id = '{BETA}'"
        assert await tried(database, f"UPDATE {table.name} {set_and_where}") in NOTHING_CHANGED
        removal = f"DELETE FROM {table.name} WHERE tenant_id = '{BETA}'"
        assert await tried(database, removal) in NOTHING_CHANGED
    assert all(before.values())
    assert await rows_of(database, BETA, tables) == before


async def tried(database: Database, statement: str) -> str:
    """What PostgreSQL says of a statement in alpha's scope."""
    try:
        async with database.transaction(ALPHA) as tx:
            return await tx.execute(statement)
    except AccessRefused:
        return REFUSED


@each_schema
async def test_a_tenant_makes_no_row_of_another(database: Database) -> None:
    for table in await tables_of(database):
        with pytest.raises(AccessRefused):
            async with database.transaction(ALPHA) as tx:
                await table.insert(tx, "gamma")


@each_schema
async def test_a_tenant_gives_no_row_away(database: Database) -> None:
    for table in await tables_of(database):
        stored = {column["name"] for column in table.columns}
        gift = "tenant_id = 'gamma'"
        if "tenant_id" not in stored:  # made from what the row says
            gift = """attributes = '{"archon.tenant.id": "gamma"}'"""
        with pytest.raises((AccessRefused, ConstraintViolated)) as refusal:
            async with database.transaction(ALPHA) as tx:
                await tx.execute(f"UPDATE {table.name} SET {gift}")
        if isinstance(refusal.value, ConstraintViolated):
            # A row that never changes is refused before its policy is asked.
            assert refusal.value.constraint == "immutable_version"


@each_schema
async def test_without_a_tenant_nothing_is_there_and_nothing_is_taken(database: Database) -> None:
    for table in await tables_of(database):
        async with database.transaction() as tx:
            assert await count(tx, table) == 0, table.name
        with pytest.raises(AccessRefused):
            async with database.transaction() as tx:
                await table.insert(tx, "gamma")


@each_schema
async def test_work_across_tenants_sees_both(database: Database) -> None:
    for table in await tables_of(database):
        async with database.across_tenants() as tx:
            assert await count(tx, table) == 2, table.name


async def test_the_services_role_owns_nothing_and_makes_no_table(
    database_url: str,
) -> None:
    async with opened(database_url, "coordinator") as database:
        async with database.connection() as connection:
            role = await connection.fetchrow(
                "SELECT rolsuper, rolbypassrls, rolcanlogin, "
                "(SELECT count(*) FROM pg_class WHERE relowner = r.oid AND relpersistence <> 't') "
                "FROM pg_roles r WHERE rolname = current_user"
            )
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute("CREATE TABLE mine ()")
        assert tuple(role) == (False, False, False, 0)
