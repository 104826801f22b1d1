"""Whatever a test did to its database, the next one finds a new one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from deploy.local.servers.postgres import EmbeddedPostgres
from tests.plugins.embedded import superuser_url
from tests.support.database_pool import DatabasePool, drop_database

pytestmark = pytest.mark.asyncio(loop_scope="module")
TEMPLATE = "pooled"
SCHEMA = """
CREATE TABLE migrations (name text);
INSERT INTO migrations VALUES ('0001');
CREATE TABLE parents (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
CREATE TABLE entries (parent bigint REFERENCES parents, name text);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'append only'; END $$;
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON entries EXECUTE FUNCTION refuse();
ALTER TABLE entries ENABLE ALWAYS TRIGGER append_only;
"""
CONTENT = """
SELECT (SELECT array_agg(name) FROM migrations), (SELECT count(*) FROM parents),
    (SELECT count(*) FROM entries)
"""
ADD = "INSERT INTO parents (name) VALUES ('a') RETURNING id"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(postgres: EmbeddedPostgres) -> AsyncIterator[DatabasePool]:
    """A pool beside that of all tests, with a small template."""
    url = superuser_url(postgres)
    made = DatabasePool(url, TEMPLATE, prefix=TEMPLATE)
    await _run(url, f"CREATE DATABASE {TEMPLATE}")
    await _run(made.url_of(TEMPLATE), SCHEMA)
    await made.open()
    yield made
    for name in (*made.free, TEMPLATE):
        await drop_database(url, name)


@pytest.mark.parametrize(
    "written",
    [
        f"{ADD}; INSERT INTO entries VALUES (1, 'b')",
        f"BEGIN; {ADD}; ROLLBACK",
        f"{ADD}; DELETE FROM parents",
        "SELECT 1",
    ],
)
async def test_a_database_is_used_again_without_what_was_written(
    pool: DatabasePool, written: str
) -> None:
    name = await pool.take()
    connection = await asyncpg.connect(pool.url_of(name))
    await connection.execute(written)

    await pool.put_back(name)

    # Nor does a session that the test left open reach the next one.
    assert connection.is_closed()
    assert await pool.take() == name
    connection = await asyncpg.connect(pool.url_of(name))
    assert tuple(await connection.fetchrow(CONTENT)) == (["0001"], 0, 0)
    assert await connection.fetchval(ADD) == 1
    await connection.close()
    await pool.put_back(name)


@pytest.mark.parametrize(
    "changed",
    [
        "CREATE TABLE late (n int)",
        "DROP TABLE entries",
        "ALTER TABLE entries DISABLE TRIGGER append_only",
        "ALTER TABLE parents ADD CHECK (name <> 'b')",
        "ALTER TABLE parents ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY own ON parents USING (true)",
        "GRANT SELECT ON parents TO archon_services",
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
        f"{ADD}; ANALYZE parents",
        "INSERT INTO migrations VALUES ('0002')",
        "UPDATE migrations SET name = '0002'",
        "DELETE FROM migrations",
    ],
)
async def test_a_database_whose_schema_rights_or_own_rows_changed_is_not_used_again(
    pool: DatabasePool, changed: str
) -> None:
    name = await pool.take()
    await _run(pool.url_of(name), changed)

    await pool.put_back(name)

    assert name not in pool.free
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(pool.url_of(name))


async def _run(url: str, statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()
