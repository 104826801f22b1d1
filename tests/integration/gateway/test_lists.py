"""Every row of every list is reached by its cursor, once, in the list's order."""

import json
from typing import Any

import pytest

from tests.support.gateway.gateway import ServedGateway
from tests.support.infrastructure.owner import as_owner

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROWS = 7
NAMES = [f"list-{number}" for number in range(ROWS)]
FILLS = (
    """INSERT INTO agents (tenant_id, agent_id, profile, configured_at)
       SELECT 'default', name, jsonb_build_object('agent_id', name, 'kind', 'selector',
              'base_model', 'pypi:m'), now() FROM unnest($1::text[]) AS name""",
    """INSERT INTO datasets (tenant_id, name, purpose, items, uri, digest)
       SELECT 'default', name, 'training', 1, 'file:///x', repeat('a', 64)
       FROM unnest($1::text[]) AS name""",
    """INSERT INTO jobs (job_id, tenant_id, agent_id, created_at)
       SELECT gen_random_uuid(), 'default', name, now() FROM unnest($1::text[]) AS name""",
    """INSERT INTO models (tenant_id, agent_id, version, status, uri, digest, metrics)
       SELECT 'default', 'list-0', name, 'ready', 'file:///x', repeat('a', 64), '{}'
       FROM unnest($1::text[]) AS name""",
    """INSERT INTO deployments (tenant_id, agent_id, revision, version, digest, action, actor,
              reason, at)
       SELECT 'default', 'list-0', 8 - place, name, repeat('a', 64), 'deploy', 'a', '', now()
       FROM unnest($1::text[]) WITH ORDINALITY AS names (name, place)""",
    """INSERT INTO experiments (tenant_id, experiment_id, agent_id, mode, state, control, treatment,
              proportion, started_at)
       SELECT 'default', gen_random_uuid(), name, 'canary', 'running', model, model, 0.5, now()
       FROM unnest($1::text[]) AS name, CAST('{"version": "1.0.0", "artifact": {"uri": "file:///x",
            "digest": "' || repeat('a', 64) || '"}}' AS jsonb) AS model""",
    """INSERT INTO api_keys (id, key_hash, tenant_id, name, scopes)
       SELECT gen_random_uuid(), sha256(name::bytea), 'default', name, ARRAY['read']
       FROM unnest($1::text[]) AS name""",
    """INSERT INTO dead_letters (id, service, reason, error_type, attempts, topic, partition,
              record_offset, headers, null_headers, first_at, last_at)
       SELECT name, 'x', 'r', 'e', 1, 't', 0, 0, '[]', '{}', now(), now()
       FROM unnest($1::text[]) AS name""",
    """INSERT INTO audit_entries (tenant_id, chain, sequence, entry_id, recorded_at, actor, action,
              subject, reason, details, changes, cause_id, trace_id, previous_hash, hash)
       SELECT 'default', name, 1, gen_random_uuid(), now(), 'a', 'agent_configured', name, '', '{}',
              '[]', gen_random_uuid(), '', repeat('0', 64), repeat('1', 64)
       FROM unnest($1::text[]) AS name""",
)
LISTS = (
    ("/v1/agents", "agent_id"),
    ("/v1/datasets", "name"),
    ("/v1/jobs", "agent_id"),
    ("/v1/experiments", "agent_id"),
    ("/v1/agents/list-0/models", "version"),
    ("/v1/agents/list-0/deployments", "version"),
    ("/v1/keys", "name"),
    ("/v1/dead-letters", "id"),
    ("/v1/audit", "subject"),
)


async def walk(gateway: ServedGateway, path: str, limit: int) -> list[list[Any]]:
    """The pages of a list."""
    pages, query = [], {"limit": limit}
    while True:
        page = await gateway.get(path, **query)
        pages.append(page["items"])
        if page["next_cursor"] is None:
            return pages
        query = {"limit": limit, "cursor": page["next_cursor"]}


async def test_a_cursor_reaches_every_row_of_every_list(gateway: ServedGateway) -> None:
    async with gateway.application.service_context.database.across_tenants() as tx:
        await as_owner(tx)
        for fill in FILLS:
            await tx.execute(fill, NAMES)

    for path, name in LISTS:
        whole = await walk(gateway, path, limit=1000)
        pages = await walk(gateway, path, limit=3)

        found = [row[name] for page in pages for row in page]
        assert all(len(page) == 3 for page in pages[:-1]), path
        # Dead letters of earlier tests may still be read from the broker and come between.
        before = [row[name] for row in whole[0]]
        assert [each for each in found if each in before] == before, path
        assert len(whole) == 1
        assert sorted(each for each in found if each in NAMES) == NAMES, path


LONG_PROFILES = """INSERT INTO agents (tenant_id, agent_id, profile, configured_at)
    SELECT 'default', name, jsonb_build_object('agent_id', name, 'kind', 'classifier',
           'base_model', 'pypi:m', 'labels', (SELECT jsonb_agg('label ' || number)
                                              FROM generate_series(1, 25000) AS number)), now()
    FROM unnest($1::text[]) AS name"""
LONG_EVALUATIONS = """WITH made AS (
        INSERT INTO models (tenant_id, agent_id, version, status, uri, digest, metrics, job_id)
        SELECT 'default', 'list-0', name, 'ready', 'file:///x', repeat('a', 64), '{}',
               gen_random_uuid()
        FROM unnest($1::text[]) AS name RETURNING job_id)
    INSERT INTO evaluations (evaluation_id, job_id, tenant_id, agent_id, at, body)
    SELECT gen_random_uuid(), job_id, 'default', 'list-0', now(),
           jsonb_build_object('job_id', job_id, 'passed', true, 'reasons',
           jsonb_build_array(repeat('long ', 80000))) FROM made"""


@pytest.mark.parametrize(
    ("fill", "path", "name"),
    [
        (LONG_PROFILES, "/v1/agents", "agent_id"),
        (LONG_EVALUATIONS, "/v1/agents/list-0/models", "version"),
    ],
)
async def test_a_page_of_long_rows_is_short_and_its_cursor_goes_on(
    gateway: ServedGateway, fill: str, path: str, name: str
) -> None:
    names = [f"long-{number}" for number in range(ROWS)]
    async with gateway.application.service_context.database.across_tenants() as tx:
        await as_owner(tx)
        await tx.execute(fill, names)

    pages = await walk(gateway, path, limit=1000)

    # All requests of a gateway wait while one answer is written.
    assert max(len(json.dumps(page)) for page in pages) < 2_000_000
    found = [row[name] for page in pages for row in page]
    assert sorted(each for each in found if each in names) == names
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    "cursor", ["", "x", "YWZ0ZXI6", "YWZ0ZXI6LTE=", "YWZ0ZXI6OTk5OTk5OTk5OTk5", "ü"]
)
async def test_a_cursor_that_is_none_of_ours_is_refused(
    gateway: ServedGateway, cursor: str
) -> None:
    answer = await gateway.http.get("/v1/jobs", params={"cursor": cursor})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "query.cursor"
