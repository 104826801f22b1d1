"""What was stored before rows below a job had a tenant gets the one of its job."""

import asyncpg
import pytest

from archon_contracts.identifiers import new_id
from shared.postgres import migrations
from shared.postgres.migrations import migrate
from tests.support.messaging.messages import NOON

BEFORE = {
    "coordinator": (
        "INSERT INTO jobs VALUES ($1, 'acme', 'a', 'queued', 1, 0, 0, 'm', 0, 'r', '{}', '{}', "
        "'t', NULL, 's', 's', $2, $2)",
        "INSERT INTO job_history VALUES ($1, 1, NULL, 'queued', 'opened', 0, '', $2)",
    ),
    "gateway": (
        "INSERT INTO jobs (job_id, tenant_id, agent_id, created_at) VALUES ($1, 'acme', 'a', $2)",
        "INSERT INTO job_progress (job_id, attempt, recorded_at) VALUES ($1, 1, $2)",
        "INSERT INTO job_metrics VALUES ($1, 1, 'loss', 1, 0.5, NULL, $2)",
        "INSERT INTO job_transitions (event_id, job_id, to_state, attempt, reason, at) "
        "VALUES ($1, $1, 'queued', 0, '', $2)",
    ),
}
BELOW = {
    "coordinator": ("job_history",),
    "gateway": ("job_progress", "job_metrics", "job_transitions"),
}
ORPHAN = {
    "gateway": "INSERT INTO job_metrics VALUES ($1, 1, 'loss', 1, 0.5, NULL, $2)",
}


@pytest.mark.parametrize("schema", list(BEFORE))
async def test_rows_below_a_job_get_its_tenant(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, schema: str
) -> None:
    every = migrations.migrations_of
    monkeypatch.setattr(
        migrations, "migrations_of", lambda name: [m for m in every(name) if "/0001" in m.name]
    )
    await migrate(empty_database_url, schema)
    monkeypatch.undo()
    connection = await asyncpg.connect(empty_database_url, server_settings={"search_path": schema})
    job_id = new_id()
    for statement in BEFORE[schema]:
        await connection.execute(statement, job_id, NOON)
    if schema in ORPHAN:
        await connection.execute(ORPHAN[schema], new_id(), NOON)

    assert f"{schema}/0002_tenants.sql" in await migrate(empty_database_url, schema)

    for table in BELOW[schema]:
        owners = await connection.fetch(f"SELECT job_id, tenant_id FROM {table}")
        assert {row["tenant_id"] for row in owners if row["job_id"] == job_id} == {"acme"}
        assert {row["tenant_id"] for row in owners if row["job_id"] != job_id} <= {"default"}
    await connection.close()
