"""What is asked again and again costs the same however much is stored."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from archon_contracts.events import JobState
from services.gateway.load.outbox_backlog import OutboxBacklog
from services.gateway.load.store import OutboxBacklogStore
from shared.postgres.queries import load_queries

JOBS = """
    INSERT INTO jobs (job_id, tenant_id, agent_id, state, created_at)
    SELECT gen_random_uuid(), 'default', 'a', state, now()
    FROM unnest($1::text[]) AS state, generate_series(1, 3000)
"""
FILL = """
    INSERT INTO outbox (event_id, shard, topic, key, headers, payload, created_at, published_at)
    SELECT gen_random_uuid(), n % 2, 't', 'k', '[]', 'x', now() - interval '90 s',
           CASE WHEN n > $1 THEN now() END
    FROM generate_series(1, 20000) AS n
"""


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(database_url, server_settings={"search_path": "gateway"})
    yield opened
    await opened.close()


async def fill(connection: asyncpg.Connection, waiting: int) -> None:
    """20,000 rows, so many of them not published."""
    await connection.execute(FILL, waiting)
    await connection.execute("ANALYZE outbox")


@pytest.mark.parametrize("waiting", [10, 20_000])
async def test_the_outbox_backlog_query_uses_its_index(
    connection: asyncpg.Connection, waiting: int
) -> None:
    await fill(connection, waiting)
    queries = load_queries("services.gateway")
    sql = queries.measure_outbox_backlog.sql.rstrip(" ;").replace("$1", "100")

    plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {sql}"))

    assert "outbox_unpublished" in plan
    assert "Seq Scan" not in plan


async def test_what_waits_is_counted_up_to_the_bound(connection: asyncpg.Connection) -> None:
    quiet = await OutboxBacklogStore().measure(connection, limit=100)
    await fill(connection, 150)

    some = await OutboxBacklogStore().measure(connection, limit=1000)
    bounded = await OutboxBacklogStore().measure(connection, limit=100)

    assert quiet == OutboxBacklog(0, 0)
    assert (some.backlog, bounded.backlog) == (150, 100)
    assert some.age_seconds >= 90


async def test_open_jobs_are_counted_by_their_index_and_are_those_in_no_final_state(
    connection: asyncpg.Connection,
) -> None:
    final = [state.value for state in JobState if state.is_final]
    open_ = [state.value for state in JobState if not state.is_final]
    await connection.execute(JOBS, final)
    await connection.execute(JOBS.replace("3000", "2"), open_)
    await connection.execute("ANALYZE jobs")
    queries = load_queries("services.gateway")
    sql = queries.count_open_jobs.sql.rstrip(" ;").replace("$1", "'default'")

    plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {sql}"))

    assert "jobs_open" in plan
    assert await connection.fetchval(sql) == 2 * len(open_)
