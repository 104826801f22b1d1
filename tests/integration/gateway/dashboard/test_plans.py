"""What a page reads costs the same however much is stored: each query of its own has its index."""

from collections.abc import AsyncIterator, Mapping

import asyncpg
import pytest

from shared.postgres.queries import load_queries

FILL = """
    INSERT INTO agents (tenant_id, agent_id, profile, configured_at)
    SELECT 'default', 'a' || n, '{"kind": "classifier"}', now() FROM generate_series(1, 2000) n;
    INSERT INTO jobs (job_id, tenant_id, agent_id, state, created_at)
    SELECT gen_random_uuid(), 'default', 'a' || n % 50, 'completed', now()
    FROM generate_series(1, 20000) n;
    INSERT INTO models (tenant_id, agent_id, version, status, uri, digest)
    SELECT 'default', 'a' || n % 50, n::text, CASE WHEN n <= 50 THEN 'deployed' ELSE 'ready' END,
           'u', 'd' FROM generate_series(1, 10000) n;
    INSERT INTO evaluations (evaluation_id, tenant_id, agent_id, job_id, body, at)
    SELECT gen_random_uuid(), 'default', 'a', gen_random_uuid(), '{}', now()
    FROM generate_series(1, 5000);
    INSERT INTO feedback_hours (tenant_id, agent_id, hour, feedback)
    SELECT 'default', 'a' || a, date_trunc('hour', now()) - n * interval '1 h', 1
    FROM generate_series(1, 20) a, generate_series(1, 1000) n;
    INSERT INTO prepared_datasets (dataset_id, tenant_id, agent_id, job_id, dataset_version, body,
                                   prepared_at)
    SELECT gen_random_uuid(), 'default', 'a' || n % 50, gen_random_uuid(), n, '{}',
           now() - n * interval '1 min' FROM generate_series(1, 5000) n;
    INSERT INTO unused_feedback (tenant_id, agent_id, unused, at)
    SELECT 'default', 'a' || n, n, now() FROM generate_series(1, 2000) n;
    INSERT INTO experiments (tenant_id, experiment_id, agent_id, mode, state, control, treatment,
                             proportion, started_at)
    SELECT 'default', gen_random_uuid(), 'a' || n % 50, 'canary',
           CASE WHEN n <= 50 THEN 'running' ELSE 'kept' END, '{}', '{}', 0.1, now()
    FROM generate_series(1, 5000) n;
    INSERT INTO api_keys (id, key_hash, tenant_id, name, scopes)
    SELECT gen_random_uuid(), sha256(n::text::bytea), 'default', 'k', '{read}'
    FROM generate_series(1, 3000) n;
    INSERT INTO sessions (token_hash, tenant_id, key_id, expires_at)
    SELECT sha256(id::text::bytea), tenant_id, id, now() + interval '1 h' FROM api_keys;
    INSERT INTO recent_events (event_id, tenant_id, agent_id, type, body, at)
    SELECT gen_random_uuid(), 'default', 'a' || n % 50, 'ModelDeployed', '{}', now()
    FROM generate_series(1, 20000) n;
    ANALYZE;
"""
SCANNED = {
    "overview_agents": {
        "$1": "now() - interval '7 d'",
        "$2": "'default'",
        "$3": "NULL",
        "$4": "50",
        "$5": "0",
    },
    "find_api_key": {"$1": "sha256('1')"},
    "find_prepared_dataset": {"$1": "'00000000-0000-0000-0000-000000000001'", "$2": "'default'"},
    "preceding_dataset": {"$1": "'default'", "$2": "'a7'", "$3": "now()"},
}


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(database_url, server_settings={"search_path": "gateway"})
    await opened.execute(FILL)
    yield opened
    await opened.close()


async def plan_of(connection: asyncpg.Connection, name: str, values: Mapping[str, str]) -> str:
    """The plan of a query, its parameters filled in by name of their place."""
    sql = getattr(load_queries("services.gateway"), name).sql.rstrip(" ;")
    for place, value in values.items():
        sql = sql.replace(place, value)
    return "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {sql}"))


async def test_no_query_of_a_page_scans_what_was_stored(connection: asyncpg.Connection) -> None:
    plans = {name: await plan_of(connection, name, values) for name, values in SCANNED.items()}

    assert {name: plan for name, plan in plans.items() if "Seq Scan" in plan} == {}
    assert "jobs_by_agent" in plans["overview_agents"] or "jobs_open" in plans["overview_agents"]
    assert "evaluations_by_job" in plans["overview_agents"]
    assert "feedback_hours_pkey" in plans["overview_agents"]
    assert "recent_events_by_agent" in plans["overview_agents"]
    assert "sessions_pkey" in plans["find_api_key"]
    assert "prepared_datasets_by_agent" in plans["preceding_dataset"]
