"""Subscriptions against a real broker: typed, resumable, undisturbed by what cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from archon_contracts.base import Contract
from archon_contracts.client import KafkaFeedbackClient, ReceivedEvent, UnreadableRecord, subscribe
from archon_contracts.client.errors import SubscriptionError
from archon_contracts.envelope import Envelope
from archon_contracts.events import AgentConfiguration, FeedbackReceived, InteractionLogged
from archon_contracts.identifiers import new_id
from archon_contracts.topics import AGENT_CONFIGURATIONS, FEEDBACK
from archon_contracts.values import AgentKind, ArtifactRef, ModelRef
from shared.kafka.topic_admin import ensure_topics

IDLE_WAIT_SECONDS = 0.02
TYPED: list[tuple[str, bytes | None]] = [("ce_type", b"archon.FeedbackReceived.v1")]


@pytest.fixture
async def topics(kafka: str) -> str:
    await ensure_topics(kafka, topics=(FEEDBACK, AGENT_CONFIGURATIONS))
    return kafka


@pytest.fixture
def tenant() -> str:
    return f"tenant-{new_id()}"


def feedback(tenant: str, number: int = 1) -> FeedbackReceived:
    return FeedbackReceived(
        tenant_id=tenant, agent_id="picker", interaction_id=f"i-{number}", input="q", rating=4
    )


def configuration(tenant: str, revision: int) -> AgentConfiguration:
    model = ModelRef(
        version=f"1.{revision}.0", artifact=ArtifactRef(uri="file:///m", digest="0" * 64)
    )
    return AgentConfiguration(
        tenant_id=tenant,
        agent_id="picker",
        kind=AgentKind.SELECTOR,
        model=model,
        revision=revision,
        reason="test",
        effective_at=datetime.now(UTC),
    )


async def send(bootstrap: str, *events: FeedbackReceived | InteractionLogged) -> None:
    async with KafkaFeedbackClient(bootstrap, source="test") as client:
        await client.send_many(events)


async def send_raw(
    bootstrap: str, like: Contract, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]
) -> None:
    """Send any bytes to where an event like this one goes: so what follows it is read after."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        key = like.key.encode()
        await producer.send_and_wait(like.topic.name, value, key=key, headers=headers)


async def take(
    bootstrap: str, count: int, *types: type[FeedbackReceived], **options: Any
) -> list[ReceivedEvent[FeedbackReceived]]:
    wanted = types or (FeedbackReceived,)
    events = subscribe(bootstrap, *wanted, idle_wait_seconds=IDLE_WAIT_SECONDS, **options)
    async with aclosing(events):
        return [await anext(events) for _ in range(count)]


def numbers(received: list[ReceivedEvent[FeedbackReceived]]) -> list[str]:
    return [item.event.interaction_id for item in received]


async def test_types_that_were_not_asked_for_are_passed_over(topics: str, tenant: str) -> None:
    seen: list[UnreadableRecord] = []
    logged = InteractionLogged(tenant_id=tenant, agent_id="picker", interaction_id="i-0", input="q")
    await send(topics, logged, feedback(tenant, 1))

    (received,) = await take(topics, 1, tenant_id=tenant, on_unreadable=seen.append)

    assert received.event == feedback(tenant, 1)
    assert [record for record in seen if tenant.encode() in (record.value or b"")] == []


async def test_a_group_goes_on_after_the_last_event_that_was_left_behind(
    topics: str, tenant: str
) -> None:
    await send(topics, *(feedback(tenant, number) for number in range(1, 5)))
    group = f"group-{tenant}"

    first = await take(topics, 3, tenant_id=tenant, group_id=group)
    second = await take(topics, 2, tenant_id=tenant, group_id=group)

    assert numbers(first) == ["i-1", "i-2", "i-3"]
    assert numbers(second) == ["i-3", "i-4"]  # nobody asked for more after i-3: not yet handled


async def test_without_a_group_everything_is_read_each_time(topics: str, tenant: str) -> None:
    await send(topics, feedback(tenant, 1), feedback(tenant, 2))

    for _ in range(2):
        assert numbers(await take(topics, 2, tenant_id=tenant)) == ["i-1", "i-2"]


async def test_two_groups_each_get_every_event(topics: str, tenant: str) -> None:
    await send(topics, feedback(tenant))

    for name in ("audit", "billing"):
        received = await take(topics, 1, tenant_id=tenant, group_id=f"{name}-{tenant}")
        assert numbers(received) == ["i-1"]


@pytest.mark.parametrize(
    ("value", "headers", "reason"),
    [
        (b"{", TYPED, "Invalid JSON"),
        (b'{"agent_id": "a"}', TYPED, "interaction_id"),
        (None, TYPED, "Invalid JSON"),
        (b"{}", [], "no readable ce_type"),
        (b"{}", [("ce_type", None)], "no readable ce_type"),
        (b"{}", [("ce_type", b"\xff")], "no readable ce_type"),
    ],
    ids=["no json", "fields missing", "tombstone", "no header", "null header", "no utf-8"],
)
async def test_an_unreadable_record_is_reported_and_the_next_one_comes(
    topics: str,
    tenant: str,
    value: bytes | None,
    headers: list[tuple[str, bytes | None]],
    reason: str,
) -> None:
    seen: list[UnreadableRecord] = []
    marked = [*headers, ("mark", tenant.encode())]
    await send_raw(topics, feedback(tenant), value, marked)
    await send(topics, feedback(tenant))

    await take(topics, 1, tenant_id=tenant, on_unreadable=seen.append)

    (record,) = (record for record in seen if ("mark", tenant.encode()) in record.headers)
    assert reason in record.reason
    assert record.value == value


async def test_an_unreadable_record_is_logged_by_default(
    topics: str, tenant: str, caplog: pytest.LogCaptureFixture
) -> None:
    await send_raw(topics, feedback(tenant), b"secret", [])
    await send(topics, feedback(tenant))

    await take(topics, 1, tenant_id=tenant)

    assert "no readable ce_type header" in caplog.text
    assert "secret" not in caplog.text


async def test_an_event_without_an_id_has_the_same_id_for_every_reader(
    topics: str, tenant: str
) -> None:
    body = feedback(tenant).to_bytes()
    await send_raw(topics, feedback(tenant), body, TYPED)

    (first,) = await take(topics, 1, tenant_id=tenant)
    (second,) = await take(topics, 1, tenant_id=tenant)

    assert first.envelope.id == second.envelope.id
    assert first.envelope.time == second.envelope.time


async def test_a_late_subscriber_gets_the_configurations_and_passes_over_removed_ones(
    topics: str, tenant: str
) -> None:
    seen: list[UnreadableRecord] = []
    newest = configuration(tenant, 2)
    for event in (configuration(tenant, 1), newest):
        envelope = Envelope(
            id=new_id(), source="test", type=event.message_type(), time=datetime.now(UTC)
        )
        headers = [*envelope.to_headers()]
        await send_raw(topics, event, event.to_bytes(), headers)
        await send_raw(topics, event, None, headers)

    events = subscribe(
        topics,
        AgentConfiguration,
        tenant_id=tenant,
        idle_wait_seconds=IDLE_WAIT_SECONDS,
        on_unreadable=seen.append,
    )
    async with aclosing(events):
        received = [await anext(events), await anext(events)]

    assert received[-1].event == newest
    assert seen == []


async def test_naming_no_type_is_an_error(kafka: str) -> None:
    with pytest.raises(SubscriptionError, match="at least one type"):
        await anext(subscribe(kafka, tenant_id=None))
