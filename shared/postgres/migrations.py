"""Numbered SQL files, each applied once, in order, under one lock.

A schema takes shared's `mechanism` files first, then its service's own; the schema `telemetry`
is made by whoever comes first. A file that was changed after it was applied is refused.

Afterwards the services' role may use the tables, and each table with a `tenant_id` has its policy:
no file has to think of it, and none can omit it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from shared.errors import MigrationFailed
from shared.postgres.database import connect, readable_url, translated_errors
from shared.postgres.queries import load_queries
from shared.postgres.sessions import require_sessions
from shared.postgres.tenants import SERVICES_ROLE

ROOT = Path(__file__).parents[2]
TELEMETRY_SCHEMA = "telemetry"
SCHEMA_CHECK_TIMEOUT_SECONDS = 30.0
_queries = load_queries("shared")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of SQL; files are applied in the order of `name`."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """sha256 of the text, in hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations_of(schema: str) -> list[Migration]:
    """What a schema needs, in order: the mechanism, then the service's own."""
    if schema == TELEMETRY_SCHEMA:
        folders = [ROOT / "shared" / "sql" / "telemetry"]
    else:
        own = ROOT / "services" / schema / "sql" / "migrations"
        folders = [ROOT / "shared" / "sql" / "mechanism", own]
    files = [file for folder in folders for file in sorted(folder.glob("*.sql"))]
    # With the owner's folder in the name: shared and a service number their files alike.
    return [Migration(f"{f.parent.parent.parent.name}/{f.name}", f.read_text()) for f in files]


async def migrate(dsn: str, schema: str, *, role: str = SERVICES_ROLE) -> list[str]:
    """Bring `schema` up to date; returns the names of the files applied now. Idempotent.

    The login owns the tables; the services act as `role`, which is made if it may be.

    Raises:
        MigrationFailed: a file fails, was changed after it was applied, or there is no such role.
    """
    with translated_errors(), readable_url():
        await require_sessions(dsn)
    # As the login, which owns the tables: the services' role must not be able to change them.
    connection = await connect(dsn, schema)
    try:
        # One transaction for all files: a set-up that fails half-way leaves the schema as it was.
        async with connection.transaction():
            # Services that start side by side migrate one after the other.
            await _queries.lock_migrations(connection)
            await _ensure_role(connection, role)
            applied = (
                [] if schema == TELEMETRY_SCHEMA else await _apply_pending(connection, "telemetry")
            )
            return applied + await _apply_pending(connection, schema)
    finally:
        await connection.close()


async def _apply_pending(connection: asyncpg.Connection[asyncpg.Record], schema: str) -> list[str]:
    await _queries.use_schema(connection, name=schema)
    await _queries.create_schema(connection)
    await _queries.create_migrations_table(connection)
    done = {row["name"]: row["checksum"] async for row in _queries.applied_migrations(connection)}
    applied = []
    for migration in migrations_of(schema):
        known = done.get(migration.name)
        if known == migration.checksum:
            continue
        if known is not None:
            raise MigrationFailed(
                f"{migration.name} was changed after it was applied to schema {schema}; "
                "restore it and put the change into a new file"
            )
        await _apply(connection, schema, migration)
        applied.append(migration.name)
    # Every time, since a new file may have added a table with tenants.
    await _queries.protect_schema(connection)
    return applied


async def _ensure_role(connection: asyncpg.Connection[asyncpg.Record], role: str) -> None:
    await _queries.use_services_role(connection, name=role)
    try:
        await _queries.ensure_services_role(connection)
    except asyncpg.InsufficientPrivilegeError as error:
        raise MigrationFailed(
            f"there is no role {role} and the login may not make it ({error}); as a superuser: "
            f"CREATE ROLE {role} NOLOGIN; GRANT {role} TO the login of the services"
        ) from error


async def _apply(
    connection: asyncpg.Connection[asyncpg.Record], schema: str, migration: Migration
) -> None:
    try:
        with translated_errors():
            await connection.execute(migration.sql)
    except asyncpg.PostgresError as error:
        raise MigrationFailed(f"{migration.name} failed on schema {schema}: {error}") from error
    await _queries.record_migration(connection, name=migration.name, checksum=migration.checksum)


async def list_pending(dsn: str, schema: str, *, role: str | None = None) -> list[str]:
    """Names of files that `schema` still lacks, as far as `role` can see."""
    connection = await connect(dsn, schema, role=role, command_seconds=SCHEMA_CHECK_TIMEOUT_SECONDS)
    try:
        if not await _queries.has_migrations_table(connection, name=schema):
            return [migration.name for migration in migrations_of(schema)]
        rows = _queries.applied_migrations(connection)
        done = {row["name"] async for row in rows}
        return [m.name for m in migrations_of(schema) if m.name not in done]
    finally:
        await connection.close()
