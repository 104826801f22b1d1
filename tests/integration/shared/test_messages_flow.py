"""From the outbox of one service through Kafka to the handler of another, once."""

from uuid import uuid4

from aiokafka import AIOKafkaProducer

from archon_contracts import topics
from archon_contracts.commands import RollBackModel
from shared.errors import PermanentError
from shared.kafka.broker import new_router, subscription
from shared.kafka.topic_admin import ensure_topics
from shared.messaging.messages import Cause, Message
from shared.messaging.outbox import decode_headers
from shared.postgres.database import Tx
from shared.postgres.migrations import migrate
from shared.process.service_context import ServiceContext
from tests.support.eventually import eventually
from tests.support.infrastructure.service_contexts import probe_settings, serving_application

TOPIC = topics.REGISTRY_COMMANDS


def _command(agent_id: str) -> RollBackModel:
    return RollBackModel(agent_id=agent_id, reason="worse")


async def _service_context(database_url: str, kafka: str) -> ServiceContext:
    await ensure_topics(kafka)
    await migrate(database_url, "probe")
    # A group of its own per test: the broker is shared by the whole run.
    return ServiceContext.build(probe_settings(database_url, kafka))


def _listen(service_context: ServiceContext, use_case) -> None:
    router = new_router()
    commands = subscription(router, f"probe-{uuid4().hex[:8]}", TOPIC)

    @commands.on(RollBackModel)
    async def roll_back(message: Message[RollBackModel]) -> None:
        await service_context.inbox.run_once(message, use_case)

    service_context.broker.include_router(router)


async def _append(service_context: ServiceContext, body: RollBackModel, cause: Cause) -> None:
    async with service_context.database.transaction() as tx:
        await service_context.outbox.append(tx, body, cause=cause)
    service_context.notifier.notify()


async def test_an_appended_command_reaches_its_handler_once(database_url: str, kafka: str) -> None:
    service_context = await _service_context(database_url, kafka)
    agent = f"agent-{uuid4().hex}"
    seen: list[str] = []

    async def remember(_tx: Tx, message: Message[RollBackModel]) -> None:
        seen.append(message.body.agent_id)

    _listen(service_context, remember)
    async with serving_application(service_context):
        cause = Cause(uuid4(), "correlation")
        await _append(service_context, _command(agent), cause)
        await _append(service_context, _command(agent), cause)
        await eventually(lambda: agent in seen)
        await _append(service_context, _command(f"{agent}-next"), Cause(uuid4(), "c"))
        await eventually(lambda: f"{agent}-next" in seen)
    assert seen.count(agent) == 1


async def test_a_permanent_error_becomes_a_dead_letter_and_the_partition_moves_on(
    database_url: str, kafka: str
) -> None:
    service_context = await _service_context(database_url, kafka)
    bad, good = f"bad-{uuid4().hex}", f"good-{uuid4().hex}"
    seen: list[str] = []

    async def refuse_bad(_tx: Tx, message: Message[RollBackModel]) -> None:
        if message.body.agent_id == bad:
            raise PermanentError("agent is unknown")
        seen.append(message.body.agent_id)

    _listen(service_context, refuse_bad)
    async with serving_application(service_context):
        await _append(service_context, _command(bad), Cause(uuid4(), "c"))
        await _append(service_context, _command(good), Cause(uuid4(), "c"))
        await eventually(lambda: good in seen)
        letter = await _dead_letters(service_context, bad, 1)
    assert letter == ["agent is unknown"]


async def test_unreadable_records_are_set_aside_with_reason_and_bytes(
    database_url: str, kafka: str
) -> None:
    service_context = await _service_context(database_url, kafka)
    marker = uuid4().hex
    seen: list[str] = []

    async def remember(_tx: Tx, message: Message[RollBackModel]) -> None:
        seen.append(message.body.agent_id)

    _listen(service_context, remember)
    kind = RollBackModel.message_type().encode()
    records = [
        (b"{not json " + marker.encode(), [("ce_type", kind)]),
        (b'{"agent_id": 3, "m": "%s"}' % marker.encode(), [("ce_type", kind)]),
        (marker.encode(), [("ce_type", None), ("odd", b"\xff\xfe")]),
        (marker.encode(), [("ce_type", b"archon.NoSuch.v9")]),
        (_command(f"fine-{marker}").to_bytes(), [("ce_type", kind), ("odd", None)]),
    ]
    async with serving_application(service_context):
        await _produce(kafka, records)
        await eventually(lambda: f"fine-{marker}" in seen)
        reasons = await _dead_letters(service_context, marker, 4)
    assert ["JSON" in reasons[0], "agent_id" in reasons[1]] == [True, True]
    assert ["ce_type" in reason for reason in reasons[2:]] == [True, True]


async def _produce(kafka: str, records) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for value, headers in records:
            await producer.send_and_wait(TOPIC.name, value, key=b"k", headers=headers, partition=0)


async def _dead_letters(service_context: ServiceContext, marker: str, count: int) -> list[str]:
    """The reasons of the published dead letters whose bytes hold the marker, oldest first."""
    reasons: list[str] = []

    async def published() -> bool:
        async with service_context.database.connection() as connection:
            rows = await connection.fetch(
                "SELECT headers FROM outbox WHERE published_at IS NOT NULL AND topic LIKE "
                "'%dead-letter%' AND position($1 in encode(payload, 'escape')) > 0 ORDER BY id",
                marker,
            )
        found = [dict(decode_headers(row["headers"]))["dlq_reason"] for row in rows]
        reasons[:] = [(reason or b"").decode() for reason in found]
        return len(reasons) == count

    await eventually(published)
    return reasons
