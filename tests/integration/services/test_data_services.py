"""The whole services between topics: an order in, an answer out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from archon_contracts import topics
from archon_contracts.base import Contract
from archon_contracts.commands import DataSource, SourceKind
from archon_contracts.events import CurriculumPlanned, DatasetPrepared, SyntheticDataGenerated
from archon_contracts.identifiers import new_id
from archon_contracts.topics import Topic
from services.curriculum import app as curriculum
from services.curriculum.settings import Settings as CurriculumSettings
from services.data_prep import app as data_prep
from services.data_prep.settings import Settings as DataPrepSettings
from services.synthetic_generator import app as synthetic_generator
from services.synthetic_generator.settings import Settings as GeneratorSettings
from shared.artifacts.store import ArtifactStore
from shared.kafka.topic_admin import ensure_topics
from shared.postgres.migrations import migrate
from shared.process.application import Application
from tests.support.data.curriculum import plan_curriculum
from tests.support.data.data_preparation import corrections, jsonl
from tests.support.data.datasets import prepare_dataset
from tests.support.data.synthetic_generator import generate_synthetic_data
from tests.support.eventually import eventually


@pytest.fixture
def fields(database_url: str, kafka: str, tmp_path: Path) -> dict[str, Any]:
    """Settings that every service needs."""
    return {
        "database_url": database_url,
        "kafka_bootstrap_servers": kafka,
        "kafka_empty_fetch_wait_max_ms": 20,
        "artifacts_url": f"file://{tmp_path}/artifacts",
        "health_port": 0,
        "shutdown_timeout_seconds": 2.0,
    }


@asynccontextmanager
async def serving(application: Application) -> AsyncIterator[None]:
    settings = application.service_context.settings
    await ensure_topics(settings.kafka_bootstrap_servers)
    await migrate(settings.database_url.get_secret_value(), settings.service)
    task = asyncio.create_task(application.serve())
    await eventually(lambda: application.service_context.health.started or task.done(), timeout=30)
    try:
        yield
    finally:
        application.stop()
        await task


async def answer(kafka: str, command: Contract, topic: Topic, contract: type[Contract]) -> Contract:
    """Send a command as any client may; the first event of that kind of its agent that comes."""
    headers = [("ce_type", command.message_type().encode())]
    key, wanted = command.key.encode(), contract.message_type().encode()
    consumer = AIOKafkaConsumer(topic.name, bootstrap_servers=kafka, auto_offset_reset="earliest")
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer, consumer:
        await producer.send_and_wait(
            command.topic.name, command.to_bytes(), key=key, headers=headers
        )
        async with asyncio.timeout(40):
            async for record in consumer:
                if record.key == key and dict(record.headers).get("ce_type") == wanted:
                    return contract.model_validate_json(record.value)
    raise AssertionError("the consumer ended")


def agent() -> str:
    """An agent of this test alone: the broker is shared by the whole run."""
    return f"agent-{new_id()}"


async def test_a_dataset_is_ordered_and_answered_on_topics(fields: dict[str, Any]) -> None:
    application = data_prep.build_app(DataPrepSettings(**fields))
    content = {"items.jsonl": jsonl(corrections(20))}
    artifact = await ArtifactStore(fields["artifacts_url"]).publish_files(content)
    source = DataSource(kind=SourceKind.FEEDBACK, artifact=artifact, items=20)
    command = prepare_dataset(source, agent_id=agent())

    async with serving(application):
        kafka = fields["kafka_bootstrap_servers"]
        event = await answer(kafka, command, topics.DATASETS, DatasetPrepared)

    assert isinstance(event, DatasetPrepared)
    assert (event.job_id, event.quality.kept) == (command.job_id, 20)


async def test_a_plan_is_ordered_and_answered_on_topics(fields: dict[str, Any]) -> None:
    application = curriculum.build_app(CurriculumSettings(**fields))
    command = plan_curriculum(agent_id=agent())

    async with serving(application):
        kafka = fields["kafka_bootstrap_servers"]
        event = await answer(kafka, command, topics.CURRICULUM, CurriculumPlanned)

    assert isinstance(event, CurriculumPlanned)
    assert event.job_id == command.job_id


async def test_synthetic_data_is_asked_for_and_answered_on_topics(fields: dict[str, Any]) -> None:
    application = synthetic_generator.build_app(GeneratorSettings(**fields))
    command = generate_synthetic_data(agent_id=agent(), count=10)

    async with serving(application):
        kafka = fields["kafka_bootstrap_servers"]
        event = await answer(kafka, command, topics.DATASETS, SyntheticDataGenerated)

    assert isinstance(event, SyntheticDataGenerated)
    assert (event.request_id, event.items) == (command.request_id, 10)
