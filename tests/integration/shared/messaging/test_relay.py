"""The relay keeps order per key, and ends its process rather than send twice at once."""

import asyncio
import contextlib
from dataclasses import replace
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pydantic import SecretStr

from archon_contracts.commands import RollBackModel
from archon_contracts.topics import dead_letters
from shared.errors import UnknownMessageType
from shared.messaging.dead_letters import MAXIMUM_BODY_BYTES
from shared.messaging.messages import Cause, RawRecord
from shared.messaging.relay import Relay, RelayStuck
from shared.process.service_context import ServiceContext
from tests.faults.brokers.proxy import Mode, Proxy
from tests.faults.brokers.raw_producer import raw_producer
from tests.support.eventually import eventually
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings


async def _append(service_context: ServiceContext, topic: str, key: str, text: str) -> None:
    async with service_context.database.transaction() as tx:
        await service_context.outbox.append_raw(
            tx, event_id=uuid4(), topic=topic, key=key, headers=(), payload=text.encode()
        )


async def _unpublished(service_context: ServiceContext) -> int:
    async with service_context.database.connection() as connection:
        return await connection.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL")


@contextlib.asynccontextmanager
async def _relaying(service_context: ServiceContext, kafka: str):
    async with AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True) as producer:
        relay = Relay(
            service_context.settings,
            producer,
            service_context.outbox,
            service_context.notifier.add_waiter(),
        )
        task = asyncio.create_task(relay.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_concurrent_writers_leave_in_commit_order_per_key(
    database_url: str, kafka: str
) -> None:
    topic, committed = f"order-{uuid4().hex}", {"a": [], "b": []}
    async with open_service_context(probe_settings(database_url, kafka)) as service_context:

        async def write(number: int) -> None:
            key = "ab"[number % 2]
            async with service_context.database.transaction() as tx:
                await service_context.outbox.append_raw(
                    tx,
                    event_id=uuid4(),
                    topic=topic,
                    key=key,
                    headers=(),
                    payload=str(number).encode(),
                )
                await asyncio.sleep(0)
                committed[key].append(str(number))

        async with _relaying(service_context, kafka):
            await asyncio.gather(*(write(number) for number in range(60)))
            service_context.notifier.notify()
            assert await _read(kafka, topic, 60) == committed


async def _read(kafka: str, topic: str, count: int) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=kafka, auto_offset_reset="earliest"
    ) as consumer:
        async with asyncio.timeout(15):
            for _ in range(count):
                record = await consumer.getone()
                found.setdefault(record.key.decode(), []).append(record.value.decode())
    return found


async def test_only_one_relay_sends_a_shard(database_url: str, kafka: str) -> None:
    topic = f"single-{uuid4().hex}"
    async with (
        open_service_context(probe_settings(database_url, kafka)) as service_context,
        _relaying(service_context, kafka),
        _relaying(service_context, kafka),
    ):
        for number in range(30):
            await _append(service_context, topic, "k", str(number))
        service_context.notifier.notify()

        async def all_sent() -> bool:
            return await _unpublished(service_context) == 0

        await eventually(all_sent)
        found = await _read(kafka, topic, 30)
    assert found == {"k": [str(number) for number in range(30)]}


async def test_a_send_without_an_answer_ends_the_relay(database_url: str, kafka: str) -> None:
    settings = probe_settings(database_url, kafka, send_timeout_seconds=0.5)
    async with open_service_context(settings) as service_context:
        await _append(service_context, "silent", "k", "1")

        class SilentProducer:
            async def send(self, *_: object, **__: object) -> asyncio.Future[object]:
                return asyncio.get_running_loop().create_future()

        relay = Relay(
            settings,
            SilentProducer(),
            service_context.outbox,
            service_context.notifier.add_waiter(),
        )
        with pytest.raises(RelayStuck, match="did not acknowledge 1 messages"):
            await relay.run()
        assert await _unpublished(service_context) == 1


async def test_a_message_that_kafka_refuses_is_set_aside_and_the_rest_goes_out(
    database_url: str, kafka: str
) -> None:
    topic = f"refusing-{uuid4().hex}"
    async with (
        open_service_context(probe_settings(database_url, kafka)) as service_context,
        _relaying(service_context, kafka),
    ):
        await _append(service_context, topic, "k", "x" * 2_000_000)
        await _append(service_context, topic, "k", "small")
        service_context.notifier.notify()

        async def all_sent() -> bool:
            return await _unpublished(service_context) == 0

        await eventually(all_sent)
        found = await _read(kafka, topic, 1)
        async with service_context.database.connection() as connection:
            letters = await connection.fetch(
                "SELECT length(payload) FROM outbox WHERE topic = $1", dead_letters("probe").name
            )
    assert found == {"k": ["small"]}
    assert [row["length"] for row in letters] == [MAXIMUM_BODY_BYTES]


async def test_a_dead_letter_without_key_and_value_goes_out(database_url: str, kafka: str) -> None:
    topic, letters = f"null-{uuid4().hex}", dead_letters("probe").name
    with raw_producer(kafka) as producer:
        place = producer.send(topic, None, key=None)
    record = RawRecord(topic, place.partition, place.offset, None, None)
    async with (
        open_service_context(probe_settings(database_url, kafka)) as service_context,
        _relaying(service_context, kafka),
        AIOKafkaConsumer(letters, bootstrap_servers=kafka, auto_offset_reset="earliest") as reader,
    ):
        async with service_context.database.transaction() as tx:
            error = UnknownMessageType("header ce_type is missing")
            await service_context.outbox.append_dead_letter(tx, record, error=error, attempts=1)
        service_context.notifier.notify()

        await eventually(lambda: _all_sent(service_context))

        async with asyncio.timeout(15):
            while ("dlq_topic", topic.encode()) not in (letter := await reader.getone()).headers:
                pass
    assert (letter.key, letter.value) == (b"", None)


async def test_a_message_that_the_client_cannot_encode_is_set_aside(
    database_url: str, kafka: str
) -> None:
    topic = f"unencodable-{uuid4().hex}"
    async with open_service_context(probe_settings(database_url, kafka)) as service_context:
        await _append(service_context, topic, "k", "refused")
        sent = []

        class Picky:
            async def send(self, name: str, **_: object) -> asyncio.Future[object]:
                if name == topic:
                    raise AssertionError("Need at least one: key or value")
                sent.append(name)
                acknowledged = asyncio.get_running_loop().create_future()
                acknowledged.set_result(None)
                return acknowledged

        waiter = service_context.notifier.add_waiter()
        relay = Relay(service_context.settings, Picky(), service_context.outbox, waiter)
        task = asyncio.create_task(relay.run())
        await eventually(lambda: _all_sent(service_context))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert sent == [dead_letters("probe").name]


async def test_the_id_of_a_command_derives_from_its_cause(database_url: str) -> None:
    async with open_service_context(probe_settings(database_url)) as service_context:
        cause = Cause(uuid4(), "c")
        command = RollBackModel(agent_id="a", reason="worse")
        async with service_context.database.transaction() as tx:
            first = await service_context.outbox.append(tx, command, cause=cause)
            second = await service_context.outbox.append(tx, command, cause=cause)
            other = await service_context.outbox.append(tx, command, cause=cause, part="2")
        assert await _unpublished(service_context) == 2
    assert first == second != other


async def test_a_database_that_goes_silent_is_left_and_found_again(
    database_url: str, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.messaging.relay.COMMAND_SECONDS", 0.5)
    monkeypatch.setattr("shared.messaging.relay.POLL_SECONDS", 0.1)
    host, port = urlsplit(database_url).hostname, urlsplit(database_url).port
    topic, proxy = f"silent-{uuid4().hex}", Proxy(host, port)
    async with (
        open_service_context(probe_settings(database_url, kafka)) as service_context,
        proxy.serving(),
    ):
        behind = SecretStr(database_url.replace(f"{host}:{port}", proxy.address))
        settings = service_context.settings.model_copy(update={"database_url": behind})
        async with _relaying(replace(service_context, settings=settings), kafka):
            await _append(service_context, topic, "k", "before")
            await eventually(lambda: _all_sent(service_context))

            proxy.set_mode(Mode.HANG)
            await _append(service_context, topic, "k", "after")
            await eventually(lambda: proxy.accepted > 1)
            proxy.set_mode(Mode.PASS)

            await eventually(lambda: _all_sent(service_context), timeout=20)


async def _all_sent(service_context: ServiceContext) -> bool:
    return await _unpublished(service_context) == 0
