"""What a stop does first, and that it comes to its end."""

import asyncio
from uuid import uuid4

from archon_contracts import topics
from archon_contracts.commands import RollBackModel
from shared.kafka.broker import new_router, subscription
from shared.kafka.topic_admin import ensure_topics
from shared.messaging.messages import Cause, Message
from shared.postgres.migrations import migrate
from shared.process.application import STOP_GRACE_SECONDS, Application
from shared.process.service_context import ServiceContext
from shared.work.queue import Lease
from tests.support.eventually import eventually
from tests.support.infrastructure.service_contexts import probe_settings

HANDLER_SECONDS = 5.0


class Endless:
    """Work that does not end by itself."""

    def __init__(self) -> None:
        self.running = asyncio.Event()

    async def run(self, _lease: Lease) -> None:
        self.running.set()
        await asyncio.Event().wait()

    async def complete(self, _tx: object, _lease: Lease, _result: object) -> None:
        raise AssertionError("it does not end")

    async def give_up(self, _tx: object, _lease: Lease, _error: Exception) -> None:
        raise AssertionError("it does not fail")


def _listen_slowly(service_context: ServiceContext) -> asyncio.Event:
    """A handler that does not return; the event says that it runs."""
    router, runs = new_router(), asyncio.Event()
    commands = subscription(router, f"probe-{uuid4().hex[:8]}", topics.REGISTRY_COMMANDS)

    @commands.on(RollBackModel)
    async def never_return(_message: Message[RollBackModel]) -> None:
        runs.set()
        await asyncio.Event().wait()

    service_context.broker.include_router(router)
    return runs


async def test_work_is_handed_back_while_a_slow_handler_still_has_its_time(
    database_url: str, kafka: str
) -> None:
    await ensure_topics(kafka)
    await migrate(database_url, "probe")
    settings = probe_settings(database_url, kafka, shutdown_timeout_seconds=HANDLER_SECONDS)
    service_context, endless = ServiceContext.build(settings), Endless()
    handling = _listen_slowly(service_context)
    application = Application(
        service_context, background=[service_context.worker({"probe": endless})]
    )
    serving = asyncio.create_task(application.serve())
    await eventually(lambda: service_context.health.started or serving.done())
    async with service_context.database.transaction() as tx:
        cause = Cause(uuid4(), "c")
        await service_context.work.enqueue(tx, kind="probe", key="job", payload={}, cause=cause)
        body = RollBackModel(agent_id=uuid4().hex, reason="worse")
        await service_context.outbox.append(tx, body, cause=cause)
    service_context.notifier.notify()
    await asyncio.gather(endless.running.wait(), handling.wait())

    async def handed_back() -> bool:
        async with service_context.database.connection() as connection:
            return await connection.fetchval("SELECT state FROM work") == "queued"

    application.stop()
    await eventually(handed_back, timeout=HANDLER_SECONDS)
    assert not serving.done()
    async with asyncio.timeout(HANDLER_SECONDS + STOP_GRACE_SECONDS):
        await serving
