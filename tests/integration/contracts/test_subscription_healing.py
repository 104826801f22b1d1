"""A subscription outlives its broker's outages, and reads on where it was."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from archon_contracts.client import KafkaFeedbackClient, healing, subscribe
from archon_contracts.client.healing import FaultLog, HealingConsumer
from archon_contracts.client.patches import has_ended, member_id
from archon_contracts.events import FeedbackReceived
from archon_contracts.topics import FEEDBACK, Topic
from shared.kafka.topic_admin import ensure_topics
from tests.support.eventually import eventually
from tests.support.infrastructure.brokers import Broker, make_broker

IDLE_WAIT_SECONDS = 0.02
SESSION_SECONDS = 10.0
"""aiokafka's default."""

pytestmark = pytest.mark.broker


async def _send(broker: Broker, *interactions: str) -> None:
    async with KafkaFeedbackClient(broker.bootstrap_servers, source="test") as client:
        await client.send_many(
            [
                FeedbackReceived(agent_id="a", interaction_id=each, input="q", rating=4)
                for each in interactions
            ]
        )


@pytest.mark.parametrize("group", [None, "notes"])
async def test_a_subscription_says_that_its_broker_is_away_and_reads_on_afterwards(
    tmp_path: Path,
    group: str | None,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(healing, "OUTAGE_SECONDS", 0.5)
    caplog.set_level(logging.INFO, logger=healing.__name__)
    broker = make_broker(tmp_path)
    await broker.start()
    await ensure_topics(broker.bootstrap_servers, topics=(FEEDBACK,))
    await _send(broker, "before")
    seen, faults = list[str](), list[str]()

    async def read() -> None:
        events = subscribe(
            broker.bootstrap_servers,
            FeedbackReceived,
            tenant_id=None,
            group_id=group,
            on_fault=faults.append,
            idle_wait_seconds=IDLE_WAIT_SECONDS,
        )
        async with aclosing(events):
            async for received in events:
                seen.append(received.event.interaction_id)

    reading = asyncio.create_task(read())
    try:
        await eventually(lambda: seen == ["before"], timeout=30)
        await asyncio.sleep(1.5)  # the group's offset is committed
        await broker.stop()
        await eventually(lambda: any(faults), timeout=15)
        await broker.start()
        await _send(broker, "after")
        await eventually(lambda: "after" in seen, timeout=30)
        assert seen == ["before", "after"]
        await eventually(lambda: faults[-1] == "", timeout=30)
        assert not reading.done()
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await broker.stop()
    states = [each.message for each in caplog.records if each.name == healing.__name__]
    assert [state.split(" after ")[0].split(",")[0] for state in states] == [
        "the subscription cannot read",
        "the subscription reads again",
    ]
    assert len([r for r in caplog.records if r.levelno >= logging.WARNING]) <= 10


async def test_a_consumer_whose_task_has_ended_is_made_again_where_it_was(kafka: str) -> None:
    topic = f"healing-{uuid4().hex}"
    await _records(kafka, topic, b"1", b"2")
    reader = _reader(kafka, topic)
    await reader.start()
    try:
        assert [await _value(reader), await _value(reader)] == [b"1", b"2"]
        first = reader.consumer
        assert first is not None
        first._fetcher._fetch_task.cancel()
        await eventually(lambda: has_ended(first))
        await _records(kafka, topic, b"3")
        assert await _value(reader) == b"3"
        assert reader.consumer is not first
    finally:
        await reader.stop()


async def test_a_consumer_made_again_takes_the_place_of_one_that_could_not_leave(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = f"place-{uuid4().hex}"
    await _records(kafka, topic, b"1")
    reader = _reader(kafka, topic, group=f"group-{uuid4().hex}")
    await reader.start()
    try:
        assert await _value(reader) == b"1"
        first = reader.consumer
        assert first is not None
        monkeypatch.setattr(first._coordinator, "_maybe_leave_group", _refuse)
        began, own_id = time.monotonic(), member_id(first)
        await reader._replace(first, "an error that it holds")
        assert await _value(reader) == b"1"  # never committed
        assert reader.consumer is not None
        assert member_id(reader.consumer) == own_id
        assert time.monotonic() - began < SESSION_SECONDS / 2
    finally:
        await reader.stop()


async def _refuse() -> None:
    raise KafkaConnectionError("the coordinator is away")


def _reader(kafka: str, topic: str, group: str | None = None) -> HealingConsumer:
    options = {
        "bootstrap_servers": kafka,
        "group_id": group,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
    }
    return HealingConsumer(
        options,
        [topic],
        timeout_seconds=15,
        idle_wait_seconds=IDLE_WAIT_SECONDS,
        on_gap=lambda gap: pytest.fail(str(gap)),
    )


async def _value(reader: HealingConsumer) -> bytes:
    async with asyncio.timeout(30):
        while True:
            record = await reader.next_record(0.5)
            if record is not None:
                return bytes(record.value)


async def _records(kafka: str, topic: str, *values: bytes) -> None:
    await ensure_topics(kafka, topics=(Topic(topic, "key", 1),))
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for value in values:
            await producer.send_and_wait(topic, value)


def test_a_lasting_fault_is_logged_when_it_begins_every_half_minute_and_at_its_end(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, logger="archon_contracts.client.healing")
    now = [1000.0]
    monkeypatch.setattr("archon_contracts.client.healing.time.monotonic", lambda: now[0])
    changes = list[str]()
    faults = FaultLog(changes.append)
    for _ in range(60):
        faults.report("away")
        now[0] += 1
    faults.clear()
    faults.clear()
    assert changes == ["away", ""]
    assert len(caplog.records) == 3
    assert "for 30 s (31 failures)" in caplog.records[1].message
