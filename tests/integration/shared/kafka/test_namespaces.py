"""Two deployments on one Kafka, each in its namespace, hear nothing of each other."""

from __future__ import annotations

from contextlib import AsyncExitStack, aclosing
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from archon_contracts.client import KafkaFeedbackClient, subscribe
from archon_contracts.commands import RollBackModel
from archon_contracts.events import FeedbackReceived
from archon_contracts.namespace import Namespace
from archon_contracts.topics import FEEDBACK, REGISTRY_COMMANDS, dead_letters
from deploy.cli.commands.topics import _found
from deploy.local.processes.group_members import evict_members
from shared.errors import PermanentError
from shared.kafka.broker import new_router, subscription
from shared.kafka.topic_admin import ensure_topics
from shared.messaging.messages import Cause, Message
from shared.postgres.migrations import migrate
from shared.process.service_context import ServiceContext
from tests.support.eventually import eventually
from tests.support.infrastructure.service_contexts import probe_settings, serving_application

IDLE_WAIT_SECONDS = 0.02


@pytest.fixture
async def namespaces(kafka: str) -> list[Namespace]:
    """Two namespaces that nobody else has, with their topics."""
    made = [Namespace(f"n{uuid4().hex[:8]}") for _ in range(2)]
    for namespace in made:
        topics = (FEEDBACK, REGISTRY_COMMANDS, dead_letters("registry"))
        names = await ensure_topics(kafka, topics=topics, namespace=namespace)
        assert names == [namespace.qualify(topic.name) for topic in topics]
    return made


class NamespacedProbe:
    """The registry's command topic, written by a relay and read by a consumer."""

    def __init__(self, database_url: str, kafka: str, namespace: Namespace) -> None:
        settings = probe_settings(
            database_url, kafka, service="registry", namespace=namespace.name, health_port=0
        )
        self.context = ServiceContext.build(settings)
        self.seen: list[tuple[str, str]] = []
        router = new_router()
        commands = subscription(router, "registry", REGISTRY_COMMANDS)

        @commands.on(RollBackModel)
        async def keep(message: Message[RollBackModel]) -> None:
            self.seen.append((message.body.agent_id, message.topic))
            if message.body.agent_id == "bad":
                raise PermanentError("agent is unknown")

        self.context.broker.include_router(router)

    async def command(self, agent: str) -> None:
        """Through the outbox."""
        async with self.context.database.transaction() as tx:
            body = RollBackModel(agent_id=agent, reason="worse")
            await self.context.outbox.append(tx, body, cause=Cause(uuid4(), "c"))
        self.context.notifier.notify()

    async def letter_topics(self) -> list[str]:
        """The topics that the dead letters in the outbox name."""
        async with self.context.database.connection() as connection:
            rows = await connection.fetch(
                "SELECT headers::text FROM outbox WHERE topic = $1", dead_letters("registry").name
            )
        return [row["headers"] for row in rows]


async def test_services_in_two_namespaces_do_not_mix(
    database_url: str, empty_database_url: str, kafka: str, namespaces: list[Namespace]
) -> None:
    await migrate(empty_database_url, "registry")
    urls = (database_url, empty_database_url)
    first, second = (
        NamespacedProbe(url, kafka, namespace)
        for url, namespace in zip(urls, namespaces, strict=True)
    )
    async with AsyncExitStack() as running:
        for deployment in (first, second):
            await running.enter_async_context(serving_application(deployment.context))
        assert _client_ids(first) == {f"{namespaces[0].name}.archon.registry"}
        await first.command("mine")
        await second.command("yours")
        await eventually(lambda: first.seen and second.seen, timeout=30)
        # The plain name of the topic: a dead letter and a trace mean the same everywhere.
        assert first.seen == [("mine", REGISTRY_COMMANDS.name)]
        assert second.seen == [("yours", REGISTRY_COMMANDS.name)]

        await first.command("bad")
        await eventually(first.letter_topics, timeout=30)
        assert namespaces[0].name not in (await first.letter_topics())[0]

        statuses = await _found({"bootstrap_servers": [kafka]}, namespaces[0])
        commands = next(each for each in statuses if each.key == REGISTRY_COMMANDS.key)
        assert commands.name.startswith(namespaces[0].prefix)
        assert await evict_members(kafka, "registry", namespace=Namespace("nobody")) == 0
        assert await evict_members(kafka, "registry", namespace=namespaces[1]) == 1


async def test_clients_in_two_namespaces_do_not_mix(
    kafka: str, namespaces: list[Namespace]
) -> None:
    for namespace in namespaces:
        async with KafkaFeedbackClient(kafka, source="t", namespace=namespace.name) as client:
            await client.send(
                FeedbackReceived(agent_id=namespace.name, interaction_id="i", input="x", rating=1.0)
            )
    for namespace in namespaces:
        events = subscribe(
            kafka,
            FeedbackReceived,
            tenant_id=None,
            group_id="readers",
            idle_wait_seconds=IDLE_WAIT_SECONDS,
            namespace=namespace.name,
        )
        async with aclosing(events):
            received = await anext(events)
            assert received.event.agent_id == namespace.name
            assert received.topic == FEEDBACK.name
            groups = await _groups(kafka)
            assert namespace.qualify("readers") in groups
    assert "readers" not in groups


def _client_ids(probe: NamespacedProbe) -> set[str]:
    """Of every client that the library has made for a service."""
    broker = probe.context.broker
    config = broker._broker.config.broker_config
    readers = [each.consumer._client for router in broker.routers for _, each in router.readers]
    clients = [*readers, config.producer._producer.producer.client, config.admin_client._client]
    return {client._client_id for client in clients}


async def _groups(kafka: str) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        return [name for name, _ in await admin.list_consumer_groups()]
    finally:
        await admin.close()
