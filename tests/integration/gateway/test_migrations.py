"""What migrations do to the rows of earlier versions."""

import asyncpg

from archon_contracts.identifiers import new_id
from shared.postgres.migrations import migrations_of

INSERT = "INSERT INTO api_keys (id, key_hash, tenant_id, name, scopes) VALUES ($1, $2, $3, $4, $5)"
OLD_SCOPES = ["feedback", "operate", "read", "write"]


async def migrated(url: str, before: str) -> tuple[asyncpg.Connection, str]:
    """A database as it was before a migration, and that migration."""
    migrations = migrations_of("gateway")
    (at,) = [n for n, each in enumerate(migrations) if before in each.name]
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE SCHEMA gateway; SET search_path TO gateway")
    for migration in migrations[:at]:
        await connection.execute(migration.sql)
    return connection, migrations[at].sql


async def test_the_bootstrap_key_of_an_earlier_version_may_make_keys(
    empty_database_url: str,
) -> None:
    connection, migration = await migrated(empty_database_url, "key_administration")
    for tenant, name in (("default", "bootstrap"), ("default", "agent"), ("acme", "bootstrap")):
        key_hash = f"{tenant} {name}".ljust(32).encode()
        await connection.execute(INSERT, new_id(), key_hash, tenant, name, OLD_SCOPES)

    await connection.execute(migration)

    rows = await connection.fetch(
        "SELECT tenant_id, name FROM api_keys WHERE 'admin' = ANY(scopes)"
    )
    await connection.close()
    assert [tuple(row) for row in rows] == [("default", "bootstrap")]


async def test_keys_with_admin_may_annotate_after_the_migration_and_no_others(
    empty_database_url: str,
) -> None:
    connection, migration = await migrated(empty_database_url, "annotate_scope")
    for name, scopes in {
        "bootstrap": [*OLD_SCOPES, "admin"],
        "admin": ["admin", "read"],
        "agent": ["feedback"],
    }.items():
        await connection.execute(INSERT, new_id(), name.ljust(32).encode(), "acme", name, scopes)

    await connection.execute(migration)

    rows = await connection.fetch(
        "SELECT name FROM api_keys WHERE 'annotate' = ANY(scopes) ORDER BY name"
    )
    await connection.close()
    assert [row["name"] for row in rows] == ["admin", "bootstrap"]
