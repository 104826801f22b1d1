"""An Idempotency-Key: the same again is one request, anything else under it is refused."""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from archon_contracts.topics import FEEDBACK
from services.gateway.idempotency import Idempotency
from services.gateway.store import GatewayStore
from tests.support.gateway.gateway import ServedGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _post(
    gateway: ServedGateway, path: str, body: dict[str, Any], key: str, **headers: str
) -> httpx.Response:
    return await gateway.http.post(path, json=body, headers={"Idempotency-Key": key} | headers)


@pytest.fixture
def key() -> str:
    return uuid4().hex


async def _agent(gateway: ServedGateway) -> str:
    return await gateway.configure_agent(f"agent-{uuid4().hex[:12]}")


def _job(agent: str, steps: int) -> dict[str, Any]:
    return {"agent_id": agent, "method": "supervised", "config": {"max_steps": steps}}


async def test_the_same_request_again_gives_the_same_job(gateway: ServedGateway, key: str) -> None:
    body = _job(await _agent(gateway), 5)
    spaced = json.dumps(dict(reversed(body.items())), indent=2)

    answers = await asyncio.gather(*(_post(gateway, "/v1/jobs", body, key) for _ in range(4)))
    again = await gateway.http.post(
        "/v1/jobs",
        content=spaced,
        headers={"Idempotency-Key": key, "Content-Type": "application/json"},
    )

    assert [answer.status_code for answer in (*answers, again)] == [202] * 5
    assert len({answer.json()["job_id"] for answer in (*answers, again)}) == 1


async def test_another_body_under_the_same_key_is_refused_and_changes_nothing(
    gateway: ServedGateway, key: str
) -> None:
    agent = await _agent(gateway)
    job_id = (await _post(gateway, "/v1/jobs", _job(agent, 5), key)).json()["job_id"]
    before = await _stored(gateway, job_id)

    other = await _post(gateway, "/v1/jobs", _job(agent, 500), key)

    assert other.status_code == 409
    assert "another body" in other.json()["detail"]
    assert await _stored(gateway, job_id) == before
    assert before["config"]["max_steps"] == 5


async def test_the_same_idempotency_key_with_another_api_key_is_refused(
    gateway: ServedGateway, key: str
) -> None:
    body = _job(await _agent(gateway), 5)
    made = await gateway.http.post("/v1/keys", json={"name": "other", "scopes": ["write"]})
    first = await _post(gateway, "/v1/jobs", body, key)
    before = await _stored(gateway, first.json()["job_id"])

    bearer = f"Bearer {made.json()['key']}"
    other = await _post(gateway, "/v1/jobs", body, key, Authorization=bearer)

    assert (first.status_code, other.status_code) == (202, 409)
    assert await _stored(gateway, first.json()["job_id"]) == before


async def test_a_refused_request_does_not_use_up_its_idempotency_key(
    gateway: ServedGateway, key: str
) -> None:
    wrong = await _post(gateway, "/v1/jobs", _job("nobody-knows", 5), key)

    right = await _post(gateway, "/v1/jobs", _job(await _agent(gateway), 5), key)

    assert (wrong.status_code, right.status_code) == (404, 202)


async def test_what_is_refused_sends_no_feedback(gateway: ServedGateway, key: str) -> None:
    agent, path = await _agent(gateway), "/v1/functions/adaptAgentBehavior"
    marker = uuid4().hex

    def request_body(words: str) -> dict[str, Any]:
        event = {"interaction_id": "i", "input": words, "rating": 4}
        return {"agentId": agent, "method": "supervised", "feedback": [event]}

    first = await _post(gateway, path, request_body("as it was"), key)
    other = await _post(gateway, path, request_body(marker), key)

    assert (first.status_code, other.status_code) == (202, 409)
    assert await gateway.records(FEEDBACK, marker.encode()) == []


async def test_adapting_needs_the_scope_feedback_too(gateway: ServedGateway) -> None:
    agent = await _agent(gateway)
    made = await gateway.http.post("/v1/keys", json={"name": "w", "scopes": ["write", "read"]})
    event = {"interaction_id": "i", "input": "q", "rating": 4}

    answer = await gateway.http.post(
        "/v1/functions/adaptAgentBehavior",
        json={"agentId": agent, "method": "supervised", "feedback": [event]},
        headers={"Authorization": f"Bearer {made.json()['key']}"},
    )

    assert (answer.status_code, "'feedback'" in answer.json()["detail"]) == (403, True)


async def test_old_requests_are_pruned(gateway: ServedGateway, key: str) -> None:
    agent = await _agent(gateway)
    await _post(gateway, "/v1/jobs", _job(agent, 5), key)
    database, idempotency = (
        gateway.application.service_context.database,
        Idempotency(GatewayStore()),
    )

    async with database.across_tenants() as tx:
        kept = await tx.fetchval("SELECT count(*) FROM idempotency_keys")
        await idempotency.prune(tx)
        young = await tx.fetchval("SELECT count(*) FROM idempotency_keys")
        await tx.execute("UPDATE idempotency_keys SET created_at = now() - interval '15 days'")
        await idempotency.prune(tx)
        old = await tx.fetchval("SELECT count(*) FROM idempotency_keys")

    assert kept == young > old == 0


async def _stored(gateway: ServedGateway, job_id: str) -> dict[str, Any]:
    """What a job is said to be, as the request itself left it."""
    async with gateway.application.service_context.database.across_tenants() as tx:
        row = await tx.fetchrow(
            "SELECT agent_id, config, dataset_name, requested_by FROM jobs WHERE job_id = $1",
            UUID(job_id),
        )
    assert row is not None
    return dict(row)
