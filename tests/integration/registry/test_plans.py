"""Queries of rollouts keep to their indexes, however many agents and experiments there are."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from shared.postgres.queries import load_queries
from shared.process.service_context import ServiceContext
from tests.support.infrastructure.owner import as_owner
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings

pytestmark = pytest.mark.asyncio(loop_scope="module")
FILL = (
    """INSERT INTO agents (tenant_id, agent_id)
       SELECT 'default', 'a' || n FROM generate_series(1, 4000) AS n""",
    """INSERT INTO models (model_id, tenant_id, agent_id, major, minor, patch, kind, artifact_uri,
                           artifact_digest, status, job_id, dataset_id, dataset, created_at)
       SELECT gen_random_uuid(), 'default', 'a' || n, 1, 0, 0, 'classifier', 'u', repeat('a', 64),
              'ready', gen_random_uuid(), gen_random_uuid(), '{}', now()
       FROM generate_series(1, 4000) AS n""",
    """INSERT INTO answer_counts SELECT 'default', 'a' || n, '1.0.0', '{}'
       FROM generate_series(1, 4000) AS n""",
    """INSERT INTO experiments (experiment_id, tenant_id, agent_id, kind, state, control_version,
                                treatment_version, progress, started_at, deadline_at, ended_at)
       SELECT gen_random_uuid(), 'default', 'a' || n, 'watch', state, '1.0.0', '1.0.0', '{}',
              now(), now(), CASE WHEN state <> 'running' THEN now() END
       FROM generate_series(1, 4000) AS n,
            unnest(ARRAY['running', 'rolled_back', 'kept']) AS state""",
    "ANALYZE",
)
NAMES = (
    "find_rollout_policy",
    "set_rollout_policy",
    "find_answer_counts",
    "put_answer_counts",
    "find_running_experiment",
    "find_experiment",
    "put_experiment",
    "find_last_rollback",
    "find_due_experiment",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def full(module_database_url: str) -> AsyncIterator[ServiceContext]:
    """Many agents with experiments; these tests only look."""
    settings = probe_settings(module_database_url, service="registry")
    async with open_service_context(settings) as shared:
        async with shared.database.transaction() as tx:
            await as_owner(tx)
            for statement in FILL:
                await tx.execute(statement)
        yield shared


@pytest.mark.parametrize("name", NAMES)
async def test_no_query_of_rollouts_scans_a_whole_table(full: ServiceContext, name: str) -> None:
    text: str = getattr(load_queries("services.registry"), name).sql
    async with full.database.transaction("default") as tx:
        await tx.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await tx.execute(f"PREPARE probe AS {text.rstrip(' ;')}")
        count = await tx.fetchval(
            "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'probe'"
        )
        nulls = ", ".join(["NULL"] * count)
        rows: list[Any] = await tx.fetch(f"EXPLAIN EXECUTE probe({nulls})")
        await tx.execute("DEALLOCATE probe")

    plan = "\n".join(row[0] for row in rows)
    assert not re.search(r"Seq Scan on (agents|models|answer_counts|experiments)\b", plan)
