"""The suite's own rules: an empty system keeps them all, and each kind of breach is named."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from tests.faults.accounting.invariants import RULES, breaches, listeners, services_of
from tests.faults.brokers.servers import Reader

JOB = """
INSERT INTO coordinator.jobs (job_id, tenant_id, agent_id, state, version, method, requested_by,
    config, facts, trace_id, job_span_id, stage_span_id, created_at, state_since)
VALUES ('00000000-0000-0000-0000-00000000000a', 'default', 'a', 'completed', 1, 'supervised', 'me',
        '{}', '{}', '', '', '', now(), now());
INSERT INTO gateway.jobs (job_id, tenant_id, agent_id, state, created_at)
VALUES ('00000000-0000-0000-0000-00000000000a', 'default', 'a', 'completed', now());
"""
OTHER = "UPDATE gateway.jobs SET state = 'failed'"
BREACHES = {
    "windows that do not hold what they say": """
INSERT INTO coordinator.windows VALUES (gen_random_uuid(), 'default', 'a', 1, 'count', 5, '', now())
""",
    "completed jobs without their one model": JOB,
    "jobs of which the gateway shows another state": JOB
    + "UPDATE gateway.jobs SET state = 'failed'",
    "trainings that nobody closed": """
INSERT INTO trainer.trainings (job_id, tenant_id, agent_id, attempt, state)
VALUES (gen_random_uuid(), 'default', 'a', 1, 'accepted')
""",
    "unsent messages of registry": """
INSERT INTO registry.outbox (event_id, shard, topic, key, headers)
VALUES (gen_random_uuid(), 0, 'archon.models.v1', 'default/a', '[]')
""",
    "never reached the inbox of coordinator": """
INSERT INTO registry.outbox (event_id, shard, topic, key, headers, published_at)
VALUES (gen_random_uuid(), 0, 'archon.models.v1', 'default/a',
        '[["ce_type", "YXJjaG9uLk1vZGVsRGVwbG95ZWQudjE="]]', now())
""",
}


@pytest_asyncio.fixture
async def reader(database_url: str) -> AsyncIterator[Reader]:
    reader = Reader(database_url)
    yield reader
    reader.close()


async def test_an_empty_system_keeps_every_rule(reader: Reader) -> None:
    assert await breaches(reader) == []


@pytest.mark.parametrize("rule", BREACHES)
async def test_a_breach_is_named(reader: Reader, database_url: str, rule: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(BREACHES[rule])
    await connection.close()

    problems = await breaches(reader)

    assert any(rule in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("rule", "services", "reported"),
    [
        ("windows that do not hold what they say", ["coordinator"], True),
        ("jobs of which the gateway shows another state", ["coordinator"], False),
        ("unsent messages of registry", ["coordinator"], False),
        ("never reached the inbox of coordinator", ["registry"], False),
        ("never reached the inbox of coordinator", ["coordinator", "registry"], True),
    ],
)
async def test_where_some_services_run_only_their_rules_are_asked(
    reader: Reader, database_url: str, rule: str, services: list[str], reported: bool
) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(BREACHES[rule])
    await connection.close()

    problems = await breaches(reader, services)

    assert any(rule in problem for problem in problems) is reported


def test_a_rules_services_are_read_off_its_query() -> None:
    assert all(services_of(query) for query in RULES.values())
    assert services_of(RULES["jobs of which the gateway shows another state"]) == {
        "coordinator",
        "gateway",
    }


def test_listeners_are_read_off_the_services() -> None:
    found = listeners()

    assert found["archon.models.v1", "archon.ModelDeployed.v1"] >= {"coordinator", "gateway"}
    assert found["archon.trainer.commands.v1", "archon.TrainModel.v1"] == {"trainer"}
