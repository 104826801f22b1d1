"""Migrations, error translation and the plans of hot queries, on a real PostgreSQL."""

import asyncio
import traceback
from pathlib import Path
from uuid import uuid4

import pytest

from shared.errors import (
    ConstraintViolated,
    DatabaseUnavailable,
    MigrationFailed,
    StartupFailed,
    ValueRefused,
)
from shared.postgres import migrations
from shared.postgres.database import Database
from shared.postgres.migrations import Migration, list_pending, migrate
from tests.support.infrastructure.owner import as_owner
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings

INSERT_INBOX = "INSERT INTO inbox (event_id, message_type) VALUES ($1, 'x')"


async def test_migrating_twice_at_once_applies_each_file_once(empty_database_url: str) -> None:
    applied = await asyncio.gather(*(migrate(empty_database_url, "probe") for _ in range(3)))
    names = [name for one in applied for name in one]
    assert len(names) == len(set(names)) > 0
    assert await list_pending(empty_database_url, "probe") == []


async def test_a_file_changed_after_it_was_applied_is_refused(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(empty_database_url, "probe")
    changed = [Migration(m.name, m.sql + "-- more") for m in migrations.migrations_of("probe")]
    monkeypatch.setattr(migrations, "migrations_of", lambda schema: changed)
    with pytest.raises(MigrationFailed, match="was changed after it was applied"):
        await migrate(empty_database_url, "probe")


async def test_a_file_that_fails_leaves_nothing_behind(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [Migration("probe/0001.sql", "CREATE TABLE kept (); CREATE TABLE oops (")]
    monkeypatch.setattr(migrations, "migrations_of", lambda schema: broken)
    with pytest.raises(MigrationFailed, match=r"probe/0001\.sql"):
        await migrate(empty_database_url, "probe")
    monkeypatch.undo()
    assert await migrate(empty_database_url, "probe") != []


async def test_a_refused_row_names_its_constraint(empty_database_url: str) -> None:
    async with open_service_context(probe_settings(empty_database_url)) as service_context:
        event_id = uuid4()

        async def insert() -> None:
            async with service_context.database.transaction() as tx:
                await tx.execute(INSERT_INBOX, event_id)

        await insert()
        with pytest.raises(ConstraintViolated) as caught:
            await insert()
    assert caught.value.constraint == "inbox_pkey"


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("SELECT $1::text", "secret\x00"),
        ("SELECT $1::text::integer", "secret"),
        ("SELECT $1::integer", 2**40),
        ("SELECT $1::jsonb", {"secret": "\x00"}),
    ],
    ids=["NUL in text", "no number", "large number", "NUL in JSON"],
)
async def test_a_value_that_no_column_holds_is_a_permanent_error_that_does_not_quote_it(
    empty_database_url: str, query: str, value: object
) -> None:
    async with open_service_context(probe_settings(empty_database_url)) as service_context:
        with pytest.raises(ValueRefused, match="cannot hold a value") as caught:
            async with service_context.database.transaction() as tx:
                await tx.fetchval(query, value)
    shown = "".join(traceback.format_exception(caught.value, chain=True))
    assert "secret" not in str(caught.value)
    assert str(2**40) not in shown


async def test_a_cut_connection_is_a_passing_error(empty_database_url: str) -> None:
    async with open_service_context(probe_settings(empty_database_url)) as service_context:

        async def cut() -> None:
            async with service_context.database.transaction() as tx:
                await as_owner(tx)
                await tx.execute("SELECT pg_terminate_backend(pg_backend_pid())")

        with pytest.raises(DatabaseUnavailable):
            await cut()
        async with service_context.database.transaction() as tx:
            assert await tx.fetchval("SELECT 1") == 1


async def test_a_missing_file_is_not_mistaken_for_a_missing_database(
    empty_database_url: str,
) -> None:
    async with open_service_context(probe_settings(empty_database_url)) as service_context:

        async def read_file() -> None:
            async with service_context.database.transaction():
                raise FileNotFoundError("items.jsonl")

        with pytest.raises(FileNotFoundError):
            await read_file()


async def test_an_absent_server_is_one_clear_sentence(unused_tcp_port: int) -> None:
    database = Database(f"postgresql://u@127.0.0.1:{unused_tcp_port}/x", "probe")
    with pytest.raises(StartupFailed, match="check ARCHON_DATABASE_URL"):
        await database.open(timeout_seconds=0.3)


@pytest.mark.parametrize(
    ("fill", "query", "index"),
    [
        (
            "INSERT INTO outbox (event_id, shard, topic, key, headers, published_at) "
            "SELECT gen_random_uuid(), 0, 't', 'k', '[]', now() FROM generate_series(1, 5000)",
            "SELECT * FROM outbox WHERE shard = 0 AND published_at IS NULL ORDER BY id LIMIT 500",
            "outbox_unpublished",
        ),
        (
            "INSERT INTO work (id, kind, key, payload, cause, max_attempts, state) SELECT "
            "gen_random_uuid(), 'k', 'x', '{}', '{}', 1, 'done' FROM generate_series(1, 5000)",
            "SELECT id FROM work WHERE kind = ANY('{k}') AND (state = 'queued' AND run_after <= "
            "now() OR state = 'leased' AND lease_until < now()) ORDER BY priority DESC, "
            "created_at LIMIT 1 FOR UPDATE SKIP LOCKED",
            "work_open",
        ),
    ],
)
async def test_hot_queries_use_their_index(
    empty_database_url: str, fill: str, query: str, index: str
) -> None:
    async with open_service_context(probe_settings(empty_database_url)) as service_context:
        async with service_context.database.transaction() as tx:
            await tx.execute(fill)
            await as_owner(tx)
            await tx.execute("ANALYZE")
        async with service_context.database.connection() as connection:
            plan = await connection.fetch(f"EXPLAIN {query}")
    assert index in "\n".join(row[0] for row in plan)


def test_every_schema_starts_with_the_mechanism() -> None:
    files = [Path(m.name).parts[0] for m in migrations.migrations_of("probe")]
    assert files[0] == "shared"
