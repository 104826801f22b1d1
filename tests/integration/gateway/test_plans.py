"""The gateway's look at its outbox costs the same however much is stored or waits."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from services.gateway.load.outbox_backlog import OutboxBacklog
from services.gateway.load.store import OutboxBacklogStore
from shared.postgres.queries import load_queries

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
