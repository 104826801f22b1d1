"""What records may do while the service that reads them still starts."""

import asyncio
import time
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from archon_contracts import topics
from archon_contracts.commands import RollBackModel
from shared.kafka import watchdog
from shared.kafka.broker import new_router, subscription
from shared.kafka.topic_admin import ensure_topics
from shared.kafka.watchdog import EXIT_STUCK, EventLoopWatchdog
from shared.messaging.messages import Message
from shared.postgres.migrations import migrate
from shared.process import application as module
from shared.process.service_context import ServiceContext
from tests.faults.workload.load import CommandLoad
from tests.support.infrastructure.service_contexts import probe_settings, serving_application


@pytest.fixture
def exit_codes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of a watch that is impatient, and notes what would have ended the process."""
    codes: list[int] = []
    monkeypatch.setattr(watchdog, "BLOCKED_LOOP_SECONDS", 0.5)
    monkeypatch.setattr(watchdog, "CHECK_INTERVAL_SECONDS", 0.1)
    monkeypatch.setattr(watchdog, "TICK_SECONDS", 0.1)
    monkeypatch.setattr(module, "EventLoopWatchdog", partial(EventLoopWatchdog, end=codes.append))
    return codes


async def test_a_record_that_blocks_the_loop_before_the_start_is_over_ends_the_process(
    database_url: str,
    kafka: str,
    exit_codes: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await ensure_topics(kafka)
    await migrate(database_url, "probe")
    service_context = ServiceContext.build(probe_settings(database_url, kafka))
    router, handled = new_router(), asyncio.Event()
    commands = subscription(router, f"probe-{uuid4().hex[:8]}", topics.REGISTRY_COMMANDS)

    @commands.on(RollBackModel)
    async def block(_message: Message[RollBackModel]) -> None:
        time.sleep(1.5)  # noqa: ASYNC251  the blocked loop is what is tested
        handled.set()

    service_context.broker.include_router(router)
    start = service_context.broker.start

    async def start_slowly() -> None:
        """The first consumer reads while the others still join their groups."""
        await start()
        async with CommandLoad(kafka, tmp_path / "client_log", seed=1) as load:
            await load.send(1)
        await handled.wait()
        assert exit_codes == [EXIT_STUCK]

    monkeypatch.setattr(service_context.broker, "start", start_slowly)
    async with serving_application(service_context):
        pass
    assert handled.is_set()
