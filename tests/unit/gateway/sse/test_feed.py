"""Event streams: interest, resumption, slow readers."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import pytest

from archon_contracts.events import WorkerReported
from archon_contracts.identifiers import new_id
from services.gateway.sse.feed import MOST_WAITING, Feed, FeedEvent, Interest, feed_event
from tests.support.messaging.messages import message_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Recent:
    """A database and store in memory."""

    def __init__(self, *events: FeedEvent) -> None:
        self.events = list(events)

    @asynccontextmanager
    async def transaction(self, _tenant_id: str):
        yield None

    async def since(
        self, _tx: object, _tenant: str, event_id: UUID, *, most: int
    ) -> list[FeedEvent]:
        ids = [event.event_id for event in self.events]
        return self.events[ids.index(event_id) + 1 :][:most] if event_id in ids else []


def event(tenant: str = "t", agent: str | None = "a", name: str = "JobFailed") -> FeedEvent:
    return FeedEvent(new_id(), tenant, agent, name, {}, NOON)


def feed_of(*events: FeedEvent) -> Feed:
    recent = Recent(*events)
    return Feed(recent, recent, keep=100)


@pytest.mark.parametrize(
    ("interest", "wanted"),
    [
        (Interest("t"), True),
        (Interest("other"), False),
        (Interest("t", "a"), True),
        (Interest("t", "b"), False),
        (Interest("t", types=frozenset({"JobFailed"})), True),
        (Interest("t", types=frozenset({"JobCompleted"})), False),
    ],
)
def test_a_stream_shows_what_it_is_interested_in(interest: Interest, wanted: bool) -> None:
    assert interest.wants(event()) is wanted


async def test_a_resumed_stream_shows_stored_events_then_new_ones_and_none_twice() -> None:
    seen, missed, new = event(), event(), event()
    feed = feed_of(seen, missed)
    stream = feed.stream(Interest("t"), seen.event_id)

    first = await anext(stream)
    feed.publish(missed)
    feed.publish(new)
    second = await anext(stream)

    assert [first, second] == [missed, new]
    await stream.aclose()


async def test_a_reader_that_falls_behind_is_ended() -> None:
    feed = feed_of()
    with feed.subscribed(Interest("t")) as subscriber:
        for _ in range(MOST_WAITING + 10):
            feed.publish(event())
        taken = 0
        while await subscriber.next() is not None:
            taken += 1

    assert taken == MOST_WAITING - 1


def test_a_streamed_event_carries_the_name_of_its_contract() -> None:
    body = WorkerReported(worker_id="w", service="trainer", slots=1, busy=0)

    shown = feed_event(message_of(body))

    assert (shown.type, shown.agent_id) == ("WorkerReported", None)
    assert shown.body["slots"] == 1


async def test_a_stream_that_is_cut_shows_nothing_more() -> None:
    seen, stored, missed, queued = event(), event(), event(), event()
    feed, refused = feed_of(seen, stored, missed), asyncio.Event()

    async def until_refused() -> None:
        await refused.wait()

    stream = feed.stream(Interest("t"), seen.event_id, until_refused())
    shown = [await anext(stream)]
    feed.publish(queued)
    refused.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    shown += [each async for each in stream]

    assert shown == [stored]


async def test_a_stream_that_waits_is_cut_too() -> None:
    feed, refused = feed_of(), asyncio.Event()

    async def until_refused() -> None:
        await refused.wait()

    stream = feed.stream(Interest("t"), None, until_refused())
    waiting = asyncio.create_task(anext(stream, None))
    await asyncio.sleep(0)
    refused.set()

    assert await asyncio.wait_for(waiting, 5) is None
