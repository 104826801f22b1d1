"""The built registry on a real broker: commands in, news and dead letters out."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from archon_contracts.base import Contract
from archon_contracts.events import AgentConfiguration, ModelDeployed, ModelRegistered
from archon_contracts.identifiers import new_id
from archon_contracts.topics import dead_letters
from services.registry.app import build_app
from services.registry.settings import Settings
from shared.kafka.topic_admin import ensure_topics
from shared.messaging.messages import Cause
from shared.messaging.outbox import decode_headers
from shared.postgres.migrations import migrate
from shared.process.application import Application
from shared.process.service_context import ServiceContext
from tests.support.eventually import eventually
from tests.support.messaging.stored import events_of
from tests.support.registry import WHOLE_MODEL, deploy, register


@pytest.fixture
async def registry(database_url: str, kafka: str, tmp_path: Path) -> AsyncIterator[ServiceContext]:
    """The whole registry, consuming and relaying."""
    await ensure_topics(kafka)
    await migrate(database_url, "registry")
    application: Application = build_app(
        Settings(
            database_url=database_url,
            kafka_bootstrap_servers=kafka,
            artifacts_url=f"file://{tmp_path}",
            health_port=0,
            kafka_empty_fetch_wait_max_ms=20,
        )
    )
    serving = asyncio.create_task(application.serve())
    await eventually(
        lambda: application.service_context.health.started or serving.done(), timeout=20
    )
    yield application.service_context
    application.stop()
    await serving


async def send(shared: ServiceContext, *commands: Contract) -> None:
    """Send commands as another service would; its outbox is borrowed."""
    async with shared.database.transaction() as tx:
        for command in commands:
            await shared.outbox.append(tx, command, cause=Cause(new_id(), "test"))
    shared.notifier.notify()


async def test_a_command_on_the_topic_leads_to_events_on_the_topics(
    registry: ServiceContext,
) -> None:
    agent = f"agent-{uuid4().hex}"
    model = await registry.artifacts.publish_files(WHOLE_MODEL)
    command = register(agent_id=agent).model_copy(update={"artifact": model})
    await send(registry, command, deploy("1.0.0", agent_id=agent))

    async def published() -> bool:
        # Other tests of this process leave rubbish on the topic, which becomes dead letters.
        events = await events_of(registry.database, but_not=(dead_letters("registry").name,))
        of_agent = [event for event in events if getattr(event, "agent_id", "") == agent]
        kinds = {type(event) for event in of_agent}
        return {ModelRegistered, ModelDeployed, AgentConfiguration} <= kinds

    await eventually(published, timeout=20)


async def test_an_unknown_version_is_a_dead_letter_that_names_the_known_ones(
    registry: ServiceContext,
) -> None:
    agent = f"agent-{uuid4().hex}"
    await send(registry, register(agent_id=agent), deploy("7.0.0", agent_id=agent))

    async def set_aside() -> bool:
        expected = f"Agent {agent} has no version '7.0.0'; it has 1.0.0."
        return expected in await reasons(registry)

    await eventually(set_aside, timeout=20)


async def test_a_version_whose_files_are_gone_is_not_deployed(registry: ServiceContext) -> None:
    agent = f"agent-{uuid4().hex}"
    await send(registry, register(agent_id=agent), deploy("1.0.0", agent_id=agent))

    async def set_aside() -> bool:
        return any("there is no artifact at" in reason for reason in await reasons(registry))

    await eventually(set_aside, timeout=20)
    assert [e for e in await events_of(registry.database) if isinstance(e, ModelDeployed)] == []


async def reasons(shared: ServiceContext) -> list[str]:
    """Why messages were set aside."""
    topic = dead_letters("registry").name
    async with shared.database.connection() as connection:
        rows = await connection.fetch("SELECT headers FROM outbox WHERE topic = $1", topic)
    headers = [dict(decode_headers(row["headers"])) for row in rows]
    return [(found["dlq_reason"] or b"").decode() for found in headers]
