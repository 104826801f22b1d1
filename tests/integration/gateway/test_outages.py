"""The gateway while its broker is away, and its keys."""

from pathlib import Path
from uuid import uuid4

import pytest

from archon_contracts.envelope import HeaderView
from archon_contracts.identifiers import new_id
from archon_contracts.topics import FEEDBACK
from services.gateway.auth.credentials import Caller, Scope, hash_key
from services.gateway.store import GatewayStore
from shared.kafka.topic_admin import ensure_topics
from tests.support.eventually import eventually
from tests.support.gateway.gateway import ServedGateway, served_gateway
from tests.support.infrastructure.brokers import make_broker

pytestmark = pytest.mark.broker


async def test_feedback_is_refused_while_the_broker_is_down_and_taken_once_after(
    database_url: str, tmp_path: Path
) -> None:
    broker = make_broker(tmp_path / "broker")
    await broker.start()
    await ensure_topics(broker.bootstrap_servers)
    served = served_gateway(
        database_url,
        broker.bootstrap_servers,
        tmp_path / "artifacts",
        gateway_ack_timeout_seconds=1.0,
    )
    async with served as gateway:
        agent = await gateway.configure_agent(f"agent-{uuid4().hex}")
        event = {"agent_id": agent, "interaction_id": "i", "input": "q", "rating": 1}
        await broker.stop()

        refused = await gateway.http.post("/v1/feedback", json=event)

        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.headers["content-type"] == "application/problem+json"
        await broker.start()
        await eventually(lambda: _taken(gateway, event), timeout=30)
        records = await gateway.records(FEEDBACK, agent.encode())
        ids = {HeaderView.of(record.headers).text("ce_id") for record in records}
        assert len(ids) == 1
    await broker.stop()


async def _taken(gateway: ServedGateway, event: dict[str, object]) -> bool:
    return (await gateway.http.post("/v1/feedback", json=event)).status_code == 202


async def test_a_key_opens_what_its_scopes_name_and_shows_its_tenant_alone(
    database_url: str, kafka: str, tmp_path: Path
) -> None:
    await ensure_topics(kafka)
    async with served_gateway(database_url, kafka, tmp_path) as gateway:
        await gateway.configure_agent("shared-name")
        key = f"narrow-{uuid4().hex}"
        caller = Caller("acme", "reader", frozenset({Scope.READ}))
        async with gateway.application.service_context.database.transaction("acme") as tx:
            await GatewayStore().add_key(tx, key_id=new_id(), key_hash=hash_key(key), caller=caller)
        headers = {"Authorization": f"Bearer {key}"}

        agents = await gateway.http.get("/v1/agents", headers=headers)
        forbidden = await gateway.http.post("/v1/jobs", json={}, headers=headers)
        letters = await gateway.http.get("/v1/dead-letters", headers=headers)

    assert (agents.status_code, agents.json()) == (200, {"items": [], "next_cursor": None})
    assert (forbidden.status_code, letters.status_code) == (403, 403)
    assert "'write'" in forbidden.json()["detail"]
