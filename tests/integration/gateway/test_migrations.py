"""What migrations do to the rows of earlier versions."""

import asyncpg

from archon_contracts.identifiers import new_id
from shared.migrations import migrations_of

INSERT = "INSERT INTO api_keys (id, key_hash, tenant_id, name, scopes) VALUES ($1, $2, $3, $4, $5)"
OLD_SCOPES = ["feedback", "operate", "read", "write"]


async def test_the_bootstrap_key_of_an_earlier_version_may_make_keys(database_url: str) -> None:
    migrations = migrations_of("gateway")
    (at,) = [n for n, each in enumerate(migrations) if "key_administration" in each.name]
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE SCHEMA gateway; SET search_path TO gateway")
    for migration in migrations[:at]:
        await connection.execute(migration.sql)
    for tenant, name in (("default", "bootstrap"), ("default", "agent"), ("acme", "bootstrap")):
        key_hash = f"{tenant} {name}".ljust(32).encode()
        await connection.execute(INSERT, new_id(), key_hash, tenant, name, OLD_SCOPES)

    await connection.execute(migrations[at].sql)

    rows = await connection.fetch(
        "SELECT tenant_id, name FROM api_keys WHERE 'admin' = ANY(scopes)"
    )
    await connection.close()
    assert [tuple(row) for row in rows] == [("default", "bootstrap")]
