"""Event streams: filters, resumption, slow readers."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import pytest

from archon_contracts.events import WorkerReported
from archon_contracts.identifiers import new_id
from services.gateway.sse.event_hub import MAX_QUEUED_EVENTS, EventHub
from services.gateway.sse.events import EventFilter, StreamedEvent, to_streamed_event
from tests.support.messaging.messages import message_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class FakeEventStore:
    """A database and store in memory."""

    def __init__(self, *events: StreamedEvent) -> None:
        self.events = list(events)

    @asynccontextmanager
    async def transaction(self, _tenant_id: str):
        yield None

    async def since(
        self, _tx: object, _tenant: str, event_id: UUID, *, limit: int
    ) -> list[StreamedEvent]:
        ids = [event.event_id for event in self.events]
        return self.events[ids.index(event_id) + 1 :][:limit] if event_id in ids else []


def event(tenant: str = "t", agent: str | None = "a", name: str = "JobFailed") -> StreamedEvent:
    return StreamedEvent(new_id(), tenant, agent, name, {}, NOON)


def build_hub(*events: StreamedEvent) -> EventHub:
    recent = FakeEventStore(*events)
    return EventHub(recent, recent, keep=100)


@pytest.mark.parametrize(
    ("event_filter", "wanted"),
    [
        (EventFilter("t"), True),
        (EventFilter("other"), False),
        (EventFilter("t", "a"), True),
        (EventFilter("t", "b"), False),
        (EventFilter("t", only=frozenset({"a"})), True),
        (EventFilter("t", only=frozenset({"b"})), False),
        (EventFilter("t", types=frozenset({"JobFailed"})), True),
        (EventFilter("t", types=frozenset({"JobCompleted"})), False),
    ],
)
def test_a_stream_shows_what_its_filter_matches(event_filter: EventFilter, wanted: bool) -> None:
    assert event_filter.matches(event()) is wanted


async def test_a_resumed_stream_shows_stored_events_then_new_ones_and_none_twice() -> None:
    seen, missed, new = event(), event(), event()
    hub = build_hub(seen, missed)
    stream = hub.stream(EventFilter("t"), seen.event_id)

    first = await anext(stream)
    hub.publish(missed)
    hub.publish(new)
    second = await anext(stream)

    assert [first, second] == [missed, new]
    await stream.aclose()


async def test_a_reader_that_falls_behind_is_ended() -> None:
    hub = build_hub()
    with hub.subscribed(EventFilter("t")) as subscriber:
        for _ in range(MAX_QUEUED_EVENTS + 10):
            hub.publish(event())
        taken = 0
        while await subscriber.next() is not None:
            taken += 1

    assert taken == MAX_QUEUED_EVENTS - 1


def test_a_streamed_event_carries_the_name_of_its_contract() -> None:
    body = WorkerReported(worker_id="w", service="trainer", slots=1, busy=0)

    shown = to_streamed_event(message_of(body))

    assert (shown.type, shown.agent_id) == ("WorkerReported", None)
    assert shown.body["slots"] == 1


async def test_an_aborted_stream_shows_no_queued_event() -> None:
    seen, stored, missed, queued = event(), event(), event(), event()
    hub, refused = build_hub(seen, stored, missed), asyncio.Event()

    async def wait_until_revoked() -> None:
        await refused.wait()

    stream = hub.stream(EventFilter("t"), seen.event_id, wait_until_revoked())
    shown = [await anext(stream)]
    hub.publish(queued)
    refused.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    shown += [each async for each in stream]

    assert shown == [stored]


async def test_a_waiting_stream_is_aborted() -> None:
    hub, refused = build_hub(), asyncio.Event()

    async def wait_until_revoked() -> None:
        await refused.wait()

    stream = hub.stream(EventFilter("t"), None, wait_until_revoked())
    waiting = asyncio.create_task(anext(stream, None))
    await asyncio.sleep(0)
    refused.set()

    assert await asyncio.wait_for(waiting, 5) is None
