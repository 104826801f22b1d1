"""The built coordinator on a real broker: feedback in, orders and dead letters out."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from uuid import uuid4

from aiokafka import AIOKafkaProducer

from archon_contracts.commands import PlanCurriculum
from archon_contracts.identifiers import new_id
from archon_contracts.topics import FEEDBACK, dead_letters
from services.coordinator.app import build_app
from services.coordinator.settings import Settings
from shared.kafka.topic_admin import ensure_topics
from shared.messaging.messages import Cause, RawRecord
from shared.postgres.migrations import migrate
from shared.process.service_context import ServiceContext
from tests.support.coordinator.coordinator import configure, feedback, record_of
from tests.support.eventually import eventually


@contextlib.asynccontextmanager
async def serving(database_url: str, kafka: str) -> AsyncIterator[ServiceContext]:
    """The whole coordinator, consuming and relaying."""
    await ensure_topics(kafka)
    await migrate(database_url, "coordinator")
    application = build_app(
        Settings(
            database_url=database_url,
            kafka_bootstrap_servers=kafka,
            artifacts_url="file:///nonexistent",
            health_port=0,
            kafka_empty_fetch_wait_max_ms=20,
            unknown_agent_wait_seconds=0.5,
        )
    )
    task = asyncio.create_task(application.serve())
    await eventually(lambda: application.service_context.health.started or task.done(), timeout=20)
    try:
        yield application.service_context
    finally:
        application.stop()
        await task


async def send(kafka: str, *records: RawRecord) -> None:
    """Put records on their topic as they are."""
    async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all") as producer:
        for record in records:
            await producer.send_and_wait(
                record.topic, record.value, key=record.key, headers=list(record.headers)
            )


async def test_feedback_on_the_topic_becomes_a_job_and_bad_records_dead_letters(
    database_url: str, kafka: str
) -> None:
    agent = f"agent-{uuid4().hex}"
    good = [record_of(feedback(f"i{n}", agent)) for n in range(3)]
    key = good[0].key
    odd = (("ce_type", b"archon.FeedbackReceived.v1"), ("ce_id", b"\xff"))
    bad = [
        RawRecord(FEEDBACK.name, 0, 0, key, b"{", good[0].headers),
        RawRecord(FEEDBACK.name, 0, 0, key, good[0].value, odd),
        RawRecord(FEEDBACK.name, 0, 0, key, None, good[0].headers),
    ]
    async with serving(database_url, kafka) as shared:
        async with shared.database.transaction() as tx:
            await shared.outbox.append(tx, configure(agent), cause=Cause(new_id(), "test"))
        shared.notifier.notify()

        await send(kafka, good[0], bad[0], good[1], bad[1], bad[2], good[2])

        async def settled() -> bool:
            async with shared.database.across_tenants() as connection:
                letters = await connection.fetch(
                    "SELECT payload FROM outbox WHERE topic = $1 AND key = $2",
                    dead_letters("coordinator").name,
                    (key or b"").decode(),
                )
                stored = await connection.fetchval(
                    "SELECT count(*) FROM feedback WHERE agent_id = $1", agent
                )
            expected = {record.value for record in bad}
            return {row["payload"] for row in letters} == expected and bool(stored == 3)

        await eventually(settled, timeout=30)
        async with shared.database.across_tenants() as connection:
            orders = await connection.fetchval(
                "SELECT count(*) FROM outbox WHERE topic = $1 AND key = $2",
                PlanCurriculum.topic.name,
                (key or b"").decode(),
            )
        assert orders == 1
