"""What was handled is remembered for longer than it can come again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from archon_contracts.topics import (
    ALL_TOPICS,
    DAY_MS,
    DEAD_LETTER_DAYS,
    DEAD_LETTER_TOPICS,
    REPLAY_DAYS,
    Topic,
    dead_letters,
)
from services.gateway.dead_letters.letters import parse_dead_letter
from services.gateway.dead_letters.store import DeadLetterStore
from shared.kafka.topic_admin import admin_client, ensure_topics
from shared.messaging.messages import RawRecord
from shared.postgres.database import Database
from shared.postgres.queries import load_queries
from shared.process.application import INBOX_RETENTION_DAYS, OUTBOX_RETENTION_HOURS
from shared.process.service_context import ServiceContext
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings

QUERIES = load_queries("shared")
PASSING = [t for t in ALL_TOPICS if not t.compacted and t not in DEAD_LETTER_TOPICS]
MARGIN_DAYS = 14  # a clock that is wrong, a housekeeper that was away


@pytest.mark.parametrize("topic", PASSING, ids=str)
def test_the_inbox_outlives_topic_dead_letter_and_replay_together(topic: Topic) -> None:
    kept = topic.retention_ms / DAY_MS

    # A record waits on its topic, then as a letter, and its replay waits on the topic again.
    assert kept + DEAD_LETTER_DAYS <= REPLAY_DAYS
    assert REPLAY_DAYS + kept + MARGIN_DAYS <= INBOX_RETENTION_DAYS


def test_a_dead_letter_topic_keeps_what_may_be_replayed() -> None:
    assert {t.retention_ms for t in DEAD_LETTER_TOPICS} == {DEAD_LETTER_DAYS * DAY_MS}


def test_only_the_present_state_is_kept_for_ever() -> None:
    # It is read by agents without a memory, who take the newest of each key.
    assert [t.name for t in ALL_TOPICS if t.compacted] == ["archon.agent-configurations.v1"]


async def test_topics_are_made_with_the_retention_that_is_promised(kafka: str) -> None:
    await ensure_topics(kafka)
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in ALL_TOPICS]

    async with admin_client({"bootstrap_servers": [kafka]}) as admin:
        answers = await admin.describe_configs(resources)

    found = {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for answer in answers
        for resource in answer.resources
    }
    for topic in ALL_TOPICS:
        policy = "compact" if topic.compacted else "delete"
        assert found[topic.name]["cleanup.policy"] == policy, topic
        if not topic.compacted:
            assert found[topic.name]["retention.ms"] == str(topic.retention_ms), topic


async def _outbox_row(database: Database, *, age: timedelta, published: bool) -> UUID:
    event_id = uuid4()
    async with database.transaction() as tx:
        await tx.execute(
            "INSERT INTO outbox (event_id, shard, topic, key, headers, created_at, published_at) "
            "VALUES ($1, 0, 't', 'k', '[]', now() - $2::interval, "
            "CASE WHEN $3 THEN now() - $2::interval END)",
            event_id,
            age,
            published,
        )
    return event_id


@pytest.fixture
def old() -> timedelta:
    return timedelta(days=3650)


async def test_a_message_that_was_not_sent_is_never_pruned(
    database_url: str, old: timedelta
) -> None:
    async with open_service_context(probe_settings(database_url)) as shared:
        waiting = await _outbox_row(shared.database, age=old, published=False)
        sent = await _outbox_row(shared.database, age=old, published=True)
        young = timedelta(hours=OUTBOX_RETENTION_HOURS - 1)
        just_sent = await _outbox_row(shared.database, age=young, published=True)

        left = await _left_after_pruning(shared)

    assert left == {waiting, just_sent}
    assert sent not in left


async def _left_after_pruning(shared: ServiceContext) -> set[UUID]:
    async with shared.database.transaction() as tx:
        await QUERIES.prune_outbox(tx, retention_hours=OUTBOX_RETENTION_HOURS)
        return {row["event_id"] for row in await tx.fetch("SELECT event_id FROM outbox")}


async def test_the_inbox_deletes_only_what_cannot_come_again(database_url: str) -> None:
    ages = (0, REPLAY_DAYS, INBOX_RETENTION_DAYS - 1, INBOX_RETENTION_DAYS + 1)
    service_context = open_service_context(probe_settings(database_url))
    async with service_context as shared, shared.database.transaction() as tx:
        for days in ages:
            await tx.execute(
                "INSERT INTO inbox (event_id, message_type, received_at) "
                "VALUES ($1, $2, now() - $3::interval)",
                uuid4(),
                str(days),
                timedelta(days=days),
            )

        await QUERIES.prune_inbox(tx, retention_days=INBOX_RETENTION_DAYS)

        left = {int(row["message_type"]) for row in await tx.fetch("SELECT * FROM inbox")}
    assert left == set(ages[:-1])


async def test_letters_are_kept_for_as_long_as_their_topic_keeps_them(database_url: str) -> None:
    ages = (0, DEAD_LETTER_DAYS - 1, DEAD_LETTER_DAYS + 1)
    store = DeadLetterStore()
    service_context = open_service_context(probe_settings(database_url, service="gateway"))
    async with service_context as shared, shared.database.transaction() as tx:
        for days in ages:
            record = RawRecord(dead_letters("trainer").name, 0, days, b"k", b"v", (), 0)
            at = datetime.now(UTC) - timedelta(days=days)
            await store.add(tx, replace(parse_dead_letter(record), first_at=at, last_at=at))

        await store.prune(tx, keep_days=DEAD_LETTER_DAYS)

        left = {letter.id for letter in await store.newest(tx, service=None, limit=9)}
    assert left == {f"trainer:0:{days}" for days in ages[:-1]}
