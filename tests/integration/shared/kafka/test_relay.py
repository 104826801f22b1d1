"""The relay keeps order per key, and waits for Kafka for as long as that takes."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import TopicAuthorizationFailedError
from pydantic import SecretStr

from archon_contracts.client.patches import GapFreeProducer
from archon_contracts.commands import RollBackModel
from archon_contracts.topics import dead_letters
from shared.errors import UnknownMessageType
from shared.kafka import producer as producer_module
from shared.kafka.connections import ConnectionStates
from shared.kafka.producer import HealingProducer
from shared.kafka.relay import Relay
from shared.messaging.dead_letters import MAXIMUM_BODY_BYTES
from shared.messaging.messages import Cause, RawRecord
from shared.process.service_context import ServiceContext
from tests.faults.brokers.mock_kafka import Error, KafkaApi, mock_cluster
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
    producer = _producer(lambda: GapFreeProducer(bootstrap_servers=kafka, enable_idempotence=True))
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
        await producer.close(timeout_seconds=5)


def _producer(make: Callable[[], object]) -> HealingProducer:
    return HealingProducer("relay", make, ConnectionStates())


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


class ScriptedProducer:
    """A producer whose sends get the answers of `answer`; None: no answer ever."""

    def __init__(self, answer: Callable[[str], BaseException | bool | None]) -> None:
        self._answer = answer
        self.sent: list[tuple[str, bytes]] = []
        self.fault = self.retried_error = None

    async def start(self) -> None:
        pass

    async def send(self, topic: str, **fields: object) -> asyncio.Future[object]:
        self.sent.append((topic, fields["value"]))
        future, answer = asyncio.get_running_loop().create_future(), self._answer(topic)
        if isinstance(answer, BaseException):
            future.set_exception(answer)
        elif answer is not None:
            future.set_result(answer)
        return future


@pytest.fixture(autouse=True)
def _close_scripted_producers(monkeypatch: pytest.MonkeyPatch) -> None:
    original = producer_module.abandon

    async def close(producer: object) -> None:
        if not isinstance(producer, ScriptedProducer):
            await original(producer)

    monkeypatch.setattr(producer_module, "abandon", close)


async def _run_until(relay: Relay, is_done: Callable[[], object]) -> None:
    task = asyncio.create_task(relay.run())
    try:
        await eventually(is_done, timeout=15)
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_send_without_an_answer_is_made_again_in_order_by_a_new_producer(
    database_url: str, kafka: str
) -> None:
    settings = probe_settings(database_url, kafka, send_timeout_seconds=0.3)
    silent, answering = ScriptedProducer(lambda _: None), ScriptedProducer(lambda _: True)
    made = iter([silent, answering])
    async with open_service_context(settings) as service_context:
        for number in range(3):
            await _append(service_context, "silent", "k", str(number))
        producer = _producer(lambda: next(made))
        waiter = service_context.notifier.add_waiter()
        relay = Relay(settings, producer, service_context.outbox, waiter)

        await _run_until(relay, lambda: _all_sent(service_context))

    assert [value for _, value in answering.sent] == [b"0", b"1", b"2"]
    assert producer.states.summary() == ""


@pytest.mark.parametrize(
    "error", [Error.NOT_ENOUGH_REPLICAS, Error.NOT_ENOUGH_REPLICAS_AFTER_APPEND]
)
async def test_too_few_in_sync_replicas_are_reported_and_waited_for_and_order_is_kept(
    database_url: str, error: Error
) -> None:
    with mock_cluster(1) as cluster:
        cluster.create_topic("few", 1)
        cluster.fail(KafkaApi.PRODUCE, *[error] * 40)  # one each 0.1 s
        servers = cluster.bootstrap_servers
        settings = probe_settings(database_url, servers, send_timeout_seconds=1.5)
        async with open_service_context(settings) as service_context:
            producer = _producer(
                lambda: GapFreeProducer(
                    bootstrap_servers=servers, enable_idempotence=True, acks="all"
                )
            )
            for number in range(5):
                await _append(service_context, "few", "k", str(number))
            waiter = service_context.notifier.add_waiter()
            relay = Relay(settings, producer, service_context.outbox, waiter)

            await _run_until(relay, lambda: "fewer in-sync replicas" in producer.states.summary())
            await _run_until(relay, lambda: _all_sent(service_context))

            values = (await _read(servers, "few", 5))["k"]
            assert list(dict.fromkeys(values)) == ["0", "1", "2", "3", "4"]
            assert producer.states.summary() == ""
            await producer.close(timeout_seconds=5)


async def test_a_topic_without_the_right_to_write_waits_alone_and_is_named(
    database_url: str, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.kafka.relay.BLOCKED_SECONDS", 0.5)
    allowed = asyncio.Event()

    def answer(topic: str) -> BaseException | bool:
        return topic != "closed" or allowed.is_set() or TopicAuthorizationFailedError(topic)

    scripted = ScriptedProducer(answer)
    async with open_service_context(probe_settings(database_url, kafka)) as service_context:
        await _append(service_context, "closed", "k", "1")
        await _append(service_context, "open", "k", "2")
        producer = _producer(lambda: scripted)
        waiter = service_context.notifier.add_waiter()
        relay = Relay(service_context.settings, producer, service_context.outbox, waiter)

        async def only_the_closed_waits() -> bool:
            return await _unpublished(service_context) == 1

        await _run_until(relay, only_the_closed_waits)
        assert "User:ANONYMOUS Write on topic closed" in producer.states.summary()
        allowed.set()
        await _run_until(relay, lambda: _all_sent(service_context))

    assert scripted.sent[-1] == ("closed", b"1")


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

        class Picky(ScriptedProducer):
            async def send(self, topic_: str, **fields: object) -> asyncio.Future[object]:
                if topic_ == topic:
                    raise AssertionError("Need at least one: key or value")
                return await super().send(topic_, **fields)

        picky = Picky(lambda _: True)
        waiter = service_context.notifier.add_waiter()
        relay = Relay(
            service_context.settings, _producer(lambda: picky), service_context.outbox, waiter
        )
        await _run_until(relay, lambda: _all_sent(service_context))
    assert [name for name, _ in picky.sent] == [dead_letters("probe").name]


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
    monkeypatch.setattr("shared.kafka.relay.COMMAND_SECONDS", 0.5)
    monkeypatch.setattr("shared.kafka.relay.POLL_SECONDS", 0.1)
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
