"""A gateway on real parts, and the events that other services would send it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from archon_contracts.base import Contract
from archon_contracts.envelope import Envelope
from archon_contracts.events import AgentConfigured
from archon_contracts.identifiers import new_id
from archon_contracts.topics import Topic
from archon_contracts.values import AgentProfile
from deploy.local.processes.tcp_ports import pick_free
from services.gateway.app import build_app
from services.gateway.settings import Settings
from shared.process.application import Application
from tests.support.eventually import eventually

KEY = "test-key-" + "k" * 32


@dataclass(frozen=True, slots=True)
class ServedGateway:
    """A served gateway, a client with its first key, and a producer beside it."""

    http: httpx.AsyncClient
    producer: AIOKafkaProducer
    application: Application
    kafka: str
    events: list[UUID] = field(default_factory=list)

    async def get(self, path: str, **query: Any) -> Any:
        """The JSON of a GET that succeeds."""
        response = await self.http.get(path, params=query)
        assert response.status_code == 200, response.text
        return response.json()

    async def publish(self, *bodies: Contract, source: str = "archon/test") -> list[UUID]:
        """Publish events as their service would, or another sender; returns their ids."""
        ids = [new_id() for _ in bodies]
        for event_id, body in zip(ids, bodies, strict=True):
            envelope = Envelope(
                id=event_id,
                source=source,
                type=body.message_type(),
                time=datetime.now(UTC),
                correlation_id=str(event_id),
            )
            await self.producer.send_and_wait(
                body.topic.name,
                body.to_bytes(),
                key=body.key.encode(),
                headers=envelope.to_headers(),
            )
        return ids

    async def configure_agent(self, agent_id: str) -> str:
        """Let the gateway know an agent, as the coordinator would; returns its name."""
        profile = AgentProfile(agent_id=agent_id, kind="selector", base_model="pypi:m")
        await self.publish(AgentConfigured(agent_id=agent_id, profile=profile))
        await eventually(lambda: self.has_agent(agent_id))
        return agent_id

    async def has_agent(self, agent_id: str) -> bool:
        """Whether the gateway shows the agent."""
        return (await self.http.get(f"/v1/agents/{agent_id}")).status_code == 200

    async def records(self, topic: Topic, marker: bytes) -> list[ConsumerRecord]:
        """All records of a topic whose body holds the marker."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka, auto_offset_reset="earliest")
        await consumer.start()
        try:
            return await _read_to_end(consumer, topic, marker)
        finally:
            await consumer.stop()


async def _read_to_end(
    consumer: AIOKafkaConsumer, topic: Topic, marker: bytes
) -> list[ConsumerRecord]:
    parts = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    consumer.assign(parts)
    ends = await consumer.end_offsets(parts)
    await consumer.seek_to_beginning(*parts)
    found: list[ConsumerRecord] = []
    while any([await consumer.position(part) < end for part, end in ends.items()]):
        batches = await consumer.getmany(timeout_ms=200)
        found += [r for records in batches.values() for r in records if marker in (r.value or b"")]
    return found


class Serve(Protocol):
    """Serves a gateway of a test's own, with these settings, while the block runs."""

    def __call__(
        self, **settings: Any
    ) -> contextlib.AbstractAsyncContextManager[ServedGateway]: ...


@contextlib.asynccontextmanager
async def served_gateway(
    database_url: str, kafka: str, folder: Path, **settings: Any
) -> AsyncIterator[ServedGateway]:
    """Serve while the block runs; the database is migrated and the topics are there."""
    port = pick_free()
    values = {
        "database_url": database_url,
        "kafka_bootstrap_servers": kafka,
        "kafka_empty_fetch_wait_max_ms": 20,
        "artifacts_url": folder.as_uri(),
        "health_port": 0,
        "gateway_port": port,
        "gateway_bootstrap_api_key": KEY,
        "gateway_agent_wait_seconds": 0.1,
        "gateway_body_limit_bytes": 200_000,
        "gateway_event_limit_bytes": 50_000,
        "shutdown_timeout_seconds": 2.0,
    }
    application = build_app(Settings(**(values | settings)))
    task = asyncio.create_task(application.serve())
    await eventually(lambda: application.service_context.health.started or task.done(), timeout=30)
    client = httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {KEY}"}, timeout=20
    )
    try:
        async with client, AIOKafkaProducer(bootstrap_servers=kafka) as producer:
            yield ServedGateway(client, producer, application, kafka)
    finally:
        application.stop()
        await task
