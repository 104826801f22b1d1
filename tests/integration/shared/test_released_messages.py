"""What is begun while a message is handled, and stays, does not keep the message."""

import asyncio
from contextvars import Context, copy_context
from pathlib import Path
from uuid import uuid4

import pytest
from faststream.message import StreamMessage

from archon_contracts import topics
from shared.kafka.broker import new_router, raw_subscription
from shared.kafka.topic_admin import ensure_topics
from shared.messaging.messages import RawRecord
from shared.postgres.migrations import migrate
from shared.process.service_context import ServiceContext
from tests.faults.workload.load import CommandLoad
from tests.support.infrastructure.service_contexts import probe_settings, serving_application


@pytest.mark.parametrize("batch", [True, False])
async def test_the_context_that_a_handler_leaves_to_others_is_without_its_records(
    database_url: str, kafka: str, tmp_path: Path, batch: bool
) -> None:
    await ensure_topics(kafka)
    await migrate(database_url, "probe")
    service_context = ServiceContext.build(probe_settings(database_url, kafka))
    router, left = new_router(), asyncio.get_running_loop().create_future()
    commands = raw_subscription(
        router, f"probe-{uuid4().hex[:8]}", topics.REGISTRY_COMMANDS, group_suffix="", batch=batch
    )

    async def begin_something(_records: RawRecord | list[RawRecord]) -> None:
        if not left.done():
            left.set_result(copy_context())

    (commands.on_batch if batch else commands.on_record)(begin_something)
    service_context.broker.include_router(router)
    async with serving_application(service_context):
        async with CommandLoad(kafka, tmp_path / "client_log", seed=1) as load:
            await load.send(1)
        context: Context = await asyncio.wait_for(left, 20)
    assert len(context) > 0
    assert not any(isinstance(value, StreamMessage) for value in context.values())
