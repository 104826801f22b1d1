"""The hot queries keep to their indexes, however much is stored."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from shared.postgres.queries import load_queries
from tests.support.coordinator.coordinator import AGENT, World, configure, coordinator_world
from tests.support.infrastructure.owner import as_owner

pytestmark = pytest.mark.asyncio(loop_scope="module")
FILL = """
    INSERT INTO feedback (tenant_id, event_id, agent_id, agent_no, interaction_id, source,
                          received_at, body, window_id)
    SELECT 'default', gen_random_uuid(), $1 || n % 50, n % 50, 'i' || n, 'user', now(), '{}',
           CASE WHEN n % 2 = 0 THEN gen_random_uuid() END
    FROM generate_series(1, 20000) AS n
"""
NAMES = (
    "claim_feedback",
    "erase_feedback",
    "window_feedback",
    "window_annotations",
    "lock_due_stats",
    "learnt_by_updates",
    "open_corrections",
    "update_feedback",
    "return_feedback",
    "unlearnt_feedback",
    "set_waiting",
    "release_waiting",
    "reclaim_feedback",
    "withdrawn_items",
    "trained_versions",
    "agent_feedback",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def full(
    module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """Much feedback of many agents, and statistics that know of it; these tests only look."""
    async with coordinator_world(module_database_url, tmp_path_factory.mktemp("full")) as world:
        await world.deliver(configure())
        async with world.shared.database.transaction() as tx:
            await as_owner(tx)
            await tx.execute(FILL, AGENT)
            await tx.execute("ANALYZE")
        yield world


def plain_sql(name: str) -> str:
    """A query as PostgreSQL gets it."""
    queries = load_queries("services.coordinator")
    text: str = getattr(queries, name).sql
    return text.rstrip(" ;")


async def plan_of(world: World, name: str) -> str:
    """How PostgreSQL would run it, whatever the arguments."""
    async with world.shared.database.transaction() as tx:
        await tx.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await tx.execute(f"PREPARE probe AS {plain_sql(name)}")
        count = await tx.fetchval(
            "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'probe'"
        )
        nulls = ", ".join(["NULL"] * count)
        rows: list[Any] = await tx.fetch(f"EXPLAIN EXECUTE probe({nulls})")
        await tx.execute("DEALLOCATE probe")
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize("name", NAMES)
async def test_no_hot_query_scans_a_whole_table(full: World, name: str) -> None:
    plan = await plan_of(full, name)

    assert not re.search(r"Seq Scan on feedback\b", plan)
    assert "Seq Scan on interactions" not in plan


async def test_a_claim_finds_the_oldest_unused_by_their_index(full: World) -> None:
    assert "feedback_unused" in await plan_of(full, "claim_feedback")


async def test_a_retraction_finds_claimed_and_unused_feedback_by_their_indexes(
    full: World,
) -> None:
    plan = await plan_of(full, "erase_feedback")

    assert "feedback_interaction" in plan
    assert "feedback_unused" in plan
