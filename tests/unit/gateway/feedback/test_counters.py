"""Counting the feedback topic: each record once, unreadable ones passed over."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from archon_contracts.events import FeedbackReceived, InteractionLogged
from archon_contracts.traffic_classes import TrafficClass
from services.gateway.feedback.counters import AgentHour, FeedbackCounters, count_records
from services.gateway.feedback.hourly_stats import HourlyCounts
from shared.messaging.messages import RawRecord

NOON = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


class FakeCounterStore:
    """A store in memory."""

    def __init__(self) -> None:
        self.offsets: dict[int, int] = {}
        self.feedback = 0

    async def feedback_offsets(self, _tx: object, partitions: Sequence[int]) -> dict[int, int]:
        return {p: self.offsets[p] for p in partitions if p in self.offsets}

    async def save_feedback_offsets(self, _tx: object, offsets: Mapping[int, int]) -> None:
        self.offsets |= offsets

    async def add_feedback_counts(
        self, _tx: object, counts: Mapping[AgentHour, HourlyCounts]
    ) -> None:
        self.feedback += sum(hour.feedback for hour in counts.values())


def record(
    offset: int, *, value: bytes | None = None, kind: bytes | None = None, partition: int = 0
) -> RawRecord:
    event = FeedbackReceived(agent_id="a", interaction_id=f"i{offset}", input="q", rating=3)
    headers = (("ce_type", kind or event.message_type().encode()), ("odd", None))
    stamp = int(NOON.timestamp() * 1000)
    return RawRecord(
        "archon.feedback.v1", partition, offset, b"k", value or event.to_bytes(), headers, stamp
    )


async def test_a_batch_that_is_read_again_counts_nothing_twice() -> None:
    kept = FakeCounterStore()
    counter = FeedbackCounters(kept)
    batch = [record(n) for n in range(5)]

    await counter.count(None, batch)
    await counter.count(None, [*batch[2:], record(5)])

    assert kept.feedback == 6
    assert kept.offsets == {0: 6}


@pytest.mark.parametrize("timestamp", [2**61, 2**63 - 1, -1, -(2**63)])
async def test_an_absurd_timestamp_stops_no_count(timestamp: int) -> None:
    kept = FakeCounterStore()

    await FeedbackCounters(kept).count(None, [replace(record(0), timestamp=timestamp), record(1)])

    assert (kept.feedback, kept.offsets) == (2, {0: 2})


async def test_partitions_are_counted_by_themselves() -> None:
    kept = FakeCounterStore()
    counter = FeedbackCounters(kept)

    await counter.count(None, [record(7), record(0, partition=1)])

    assert kept.offsets == {0: 8, 1: 1}


def test_records_that_cannot_be_read_are_passed_over() -> None:
    bad = [b"{", b"[]", b"null", b'{"agent_id": 3}', b'{"agent_id": "a\\u0000"}', b"\xff"]
    records = [record(n, value=value) for n, value in enumerate(bad)]

    assert count_records(records) == {}


def test_types_are_counted_apart() -> None:
    kind = InteractionLogged.message_type().encode()
    records = [record(0), record(1, kind=kind), record(2, kind=b"archon.Other.v1")]

    (counts,) = count_records(records).values()

    assert (counts.feedback, counts.interactions, counts.rated) == (1, 1, 1)


def test_internal_traffic_is_not_counted() -> None:
    shadow = FeedbackReceived(
        agent_id="a", interaction_id="i", input="q", rating=3, traffic_class=TrafficClass.SHADOW
    )
    odd = b'{"agent_id": "a", "interaction_id": "i", "traffic_class": "prod"}'
    reserved = b'{"agent_id": "a", "interaction_id": "archon:test:1"}'
    values = (shadow.to_bytes(), odd, reserved)
    records = [record(n, value=value) for n, value in enumerate(values)]

    assert count_records(records) == {}
