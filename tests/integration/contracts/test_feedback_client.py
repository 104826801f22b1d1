"""The Kafka feedback client against a real broker, up and down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from archon_contracts.client import KafkaFeedbackClient, ReceivedEvent, subscribe, subscription
from archon_contracts.client.errors import (
    BrokerUnavailableError,
    EventTooLargeError,
    SendRefusedError,
    TopicMissingError,
)
from archon_contracts.event_ids import event_id_of
from archon_contracts.events import FeedbackReceived, FeedbackRetracted
from archon_contracts.identifiers import EventId, new_id
from archon_contracts.topics import FEEDBACK
from deploy.local.processes.tcp_ports import pick_free
from shared.kafka.topic_admin import ensure_topics
from tests.support.eventually import eventually
from tests.support.infrastructure.brokers import Broker, make_broker

IDLE_WAIT_SECONDS = 0.02


@pytest.fixture
async def feedback_topic(kafka: str) -> str:
    await ensure_topics(kafka, topics=(FEEDBACK,))
    return kafka


@pytest.fixture
def tenant() -> str:
    return f"tenant-{new_id()}"


@asynccontextmanager
async def own_broker(folder: Path) -> AsyncIterator[Broker]:
    broker = make_broker(folder)
    await broker.start()
    await ensure_topics(broker.bootstrap_servers, topics=(FEEDBACK,))
    yield broker
    await broker.stop()


def feedback(tenant: str, number: int = 1, agent_id: str = "picker") -> FeedbackReceived:
    return FeedbackReceived(
        tenant_id=tenant, agent_id=agent_id, interaction_id=f"i-{number}", input="q", rating=4
    )


async def read_back(
    bootstrap: str, tenant: str, count: int
) -> list[ReceivedEvent[FeedbackReceived]]:
    events = subscribe(
        bootstrap, FeedbackReceived, tenant_id=tenant, idle_wait_seconds=IDLE_WAIT_SECONDS
    )
    async with aclosing(events):
        return [await anext(events) for _ in range(count)]


async def ids_until(bootstrap: str, last: FeedbackReceived) -> set[UUID]:
    ids = set()
    events = subscribe(
        bootstrap, FeedbackReceived, tenant_id=None, idle_wait_seconds=IDLE_WAIT_SECONDS
    )
    async with aclosing(events):
        async for received in events:
            ids.add(received.envelope.id)
            if received.event == last:
                break
    return ids


async def raw_record(bootstrap: str, tenant: str) -> ConsumerRecord:
    async with AIOKafkaConsumer(
        FEEDBACK.name, bootstrap_servers=bootstrap, auto_offset_reset="earliest"
    ) as consumer:
        async for record in consumer:
            if record.key.decode().startswith(tenant):
                return record
    raise AssertionError("the consumer ended")


async def test_feedback_arrives_with_its_key_and_envelope(feedback_topic: str, tenant: str) -> None:
    sent = feedback(tenant)

    async with KafkaFeedbackClient(feedback_topic, source="agent/picker") as client:
        event_id = await client.send(sent)

    (received,) = await read_back(feedback_topic, tenant, 1)
    assert received.event == sent
    assert received.envelope.id == event_id == event_id_of(sent, "agent/picker")
    assert received.envelope.source == "agent/picker"
    assert received.envelope.subject == "i-1"
    assert (await raw_record(feedback_topic, tenant)).key == f"{tenant}/picker".encode()


async def test_an_id_of_ones_own_is_kept(feedback_topic: str, tenant: str) -> None:
    own = EventId(new_id())

    async with KafkaFeedbackClient(feedback_topic, source="test") as client:
        assert await client.send(feedback(tenant), event_id=own) == own

    (received,) = await read_back(feedback_topic, tenant, 1)
    assert received.envelope.id == own


async def test_many_events_keep_their_order_per_agent(feedback_topic: str, tenant: str) -> None:
    sent = [feedback(tenant, number, f"agent-{number % 5}") for number in range(500)]

    async with KafkaFeedbackClient(feedback_topic, source="test") as client:
        ids = await client.send_many(sent)

    received = await read_back(feedback_topic, tenant, 500)
    assert {item.envelope.id for item in received} == set(ids)
    for agent in range(5):
        of_agent = [item.event for item in received if item.event.agent_id == f"agent-{agent}"]
        assert of_agent == [event for event in sent if event.agent_id == f"agent-{agent}"]


async def test_a_retraction_goes_to_the_same_partition_as_its_feedback(
    feedback_topic: str, tenant: str
) -> None:
    retraction = FeedbackRetracted(tenant_id=tenant, agent_id="picker", interaction_id="i-1")

    async with KafkaFeedbackClient(feedback_topic, source="test") as client:
        await client.send_many([feedback(tenant), retraction])

    events = subscribe(
        feedback_topic,
        FeedbackReceived,
        FeedbackRetracted,
        tenant_id=tenant,
        idle_wait_seconds=IDLE_WAIT_SECONDS,
    )
    async with aclosing(events):
        first, second = await anext(events), await anext(events)
    assert (type(first.event), type(second.event)) == (FeedbackReceived, FeedbackRetracted)
    assert first.partition == second.partition


async def test_an_event_too_large_is_refused(feedback_topic: str, tenant: str) -> None:
    large = feedback(tenant).model_copy(update={"actual": "x" * 2_000_000})

    async with KafkaFeedbackClient(feedback_topic, source="test") as client:
        with pytest.raises(EventTooLargeError, match="65536 are allowed"):
            await client.send(large)


async def test_an_event_larger_than_the_broker_takes_is_refused(
    feedback_topic: str, tenant: str
) -> None:
    large = feedback(tenant).model_copy(update={"actual": "x" * 2_000_000})

    async with KafkaFeedbackClient(
        feedback_topic, source="test", max_event_bytes=4_000_000
    ) as client:
        with pytest.raises(SendRefusedError, match="2000"):
            await client.send(large)


async def test_an_unreachable_broker_is_a_clear_error_in_time() -> None:
    with pytest.raises(BrokerUnavailableError, match="cannot reach Kafka"):
        async with KafkaFeedbackClient(
            f"127.0.0.1:{pick_free()}", source="test", timeout_seconds=1
        ):
            pass


@pytest.mark.broker
async def test_a_kafka_without_our_topic_is_a_clear_error(tmp_path: Path) -> None:
    broker = make_broker(tmp_path)
    await broker.start()

    with pytest.raises(TopicMissingError, match=r"no topic archon\.feedback\.v1"):
        async with KafkaFeedbackClient(broker.bootstrap_servers, source="test"):
            pass

    await broker.stop()


@pytest.mark.broker
async def test_a_send_while_the_broker_is_down_fails_in_time_and_works_after_its_return(
    tmp_path: Path, tenant: str
) -> None:
    async with (
        own_broker(tmp_path) as broker,
        KafkaFeedbackClient(broker.bootstrap_servers, source="test", timeout_seconds=3) as client,
    ):
        await client.send(feedback(tenant, 1))
        await broker.stop()
        with pytest.raises(BrokerUnavailableError, match="did not acknowledge"):
            await client.send(feedback(tenant, 2))
        await broker.start()
        await client.send(feedback(tenant, 2))
        await client.send(feedback(tenant, 3))

        ids = await ids_until(broker.bootstrap_servers, feedback(tenant, 3))

    # The second may have come twice, late and again: its id shows.
    assert ids == {event_id_of(feedback(tenant, number), "test") for number in (1, 2, 3)}


async def test_closing_while_the_broker_is_down_ends_in_time_and_leaves_nothing_running(
    tmp_path: Path, tenant: str
) -> None:
    async with own_broker(tmp_path) as broker:
        servers = broker.bootstrap_servers
        async with KafkaFeedbackClient(servers, source="test", timeout_seconds=1) as client:
            await client.send(feedback(tenant))
            before = asyncio.all_tasks()
            await broker.stop()
            with pytest.raises(BrokerUnavailableError):
                await client.send(feedback(tenant, 2))

    assert asyncio.all_tasks() <= before


@pytest.mark.parametrize("group_id", [None, "auditors"])
@pytest.mark.parametrize("idle_wait_seconds", [0.0, IDLE_WAIT_SECONDS])
async def test_a_subscription_ends_while_the_broker_is_down(
    tmp_path: Path,
    tenant: str,
    monkeypatch: pytest.MonkeyPatch,
    group_id: str | None,
    idle_wait_seconds: float,
) -> None:
    monkeypatch.setattr(subscription, "TIMEOUT_SECONDS", 2.0)
    async with own_broker(tmp_path) as broker:
        servers = broker.bootstrap_servers
        async with KafkaFeedbackClient(servers, source="test") as client:
            await client.send(feedback(tenant))
        before = asyncio.all_tasks()
        events = subscribe(
            servers,
            FeedbackReceived,
            tenant_id=None,
            group_id=group_id,
            idle_wait_seconds=idle_wait_seconds,
        )
        await anext(events)
        await broker.stop()

        await events.aclose()

        await eventually(lambda: asyncio.all_tasks() <= before)
