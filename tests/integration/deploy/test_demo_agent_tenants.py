"""The reference agent beside another tenant's agent of the same name."""

import asyncio
import contextlib
from datetime import UTC, datetime
from pathlib import Path

from aiokafka import AIOKafkaProducer

from archon_contracts.client import KafkaFeedbackClient
from archon_contracts.envelope import Envelope
from archon_contracts.events import AgentConfiguration
from archon_contracts.identifiers import new_id
from archon_contracts.topics import AGENT_CONFIGURATIONS
from archon_contracts.values import AgentKind, ArtifactRef, ModelRef
from deploy.demo.agent import AgentSettings, DemoAgent
from deploy.serving.server import follow_deployments
from shared.kafka.topic_admin import ensure_topics
from tests.support.eventually import eventually


class _AdoptedModels:
    """Stands for the loaded model: keeps which configurations the agent takes."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, int]] = []

    async def adopt(self, configuration: AgentConfiguration) -> bool:
        self.taken.append((configuration.tenant_id, configuration.revision))
        return True


def _configuration(tenant_id: str, revision: int) -> AgentConfiguration:
    artifact = ArtifactRef(uri="file:///m", digest="0" * 64)
    return AgentConfiguration(
        tenant_id=tenant_id,
        agent_id="picker",
        kind=AgentKind.SELECTOR,
        model=ModelRef(version=f"1.{revision}.0", artifact=artifact),
        revision=revision,
        reason="test",
        effective_at=datetime.now(UTC),
    )


async def _publish(bootstrap: str, *bodies: AgentConfiguration) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for body in bodies:
            envelope = Envelope(
                id=new_id(),
                source="archon/registry",
                type=body.message_type(),
                time=datetime.now(UTC),
                correlation_id="c",
            )
            await producer.send_and_wait(
                body.topic.name,
                body.to_bytes(),
                key=body.key.encode(),
                headers=envelope.to_headers(),
            )


async def test_an_agent_serves_its_own_tenants_model_alone(kafka: str, tmp_path: Path) -> None:
    await ensure_topics(kafka, topics=(AGENT_CONFIGURATIONS,))
    own, foreign = f"own-{new_id()}", f"foreign-{new_id()}"
    settings = AgentSettings(
        id="picker",
        tenant_id=own,
        kafka_bootstrap_servers=kafka,
        kafka_idle_wait_seconds=0.02,
        gateway_url="http://127.0.0.1:1",
        api_key="none",
        requests=tmp_path / "requests.jsonl",
        client_log=tmp_path / "log.jsonl",
    )
    (tmp_path / "requests.jsonl").write_text("")
    agent, models = DemoAgent(settings, KafkaFeedbackClient(kafka, source="test")), _AdoptedModels()
    agent._model = models  # type: ignore[assignment]  # loading real weights is tested elsewhere
    # The foreign tenant's revisions are newer: compared by name alone, they would win.
    await _publish(kafka, _configuration(foreign, 8), _configuration(own, 1))
    following = asyncio.create_task(follow_deployments(settings.serve_options(), agent._swap))
    try:
        await eventually(lambda: len(models.taken) >= 1, timeout=30)
        await _publish(kafka, _configuration(foreign, 9), _configuration(own, 2))
        await eventually(lambda: (own, 2) in models.taken, timeout=30)
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following

    assert models.taken == [(own, 1), (own, 2)]
