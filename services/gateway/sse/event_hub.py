"""Event hub: each committed event to every open stream of this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

from services.gateway.sse.event_store import EventStore
from services.gateway.sse.events import EventFilter, StreamedEvent
from shared.errors import DatabaseUnavailable
from shared.logging import get_logger
from shared.postgres.database import Database

MAX_QUEUED_EVENTS: Final = 1_000
MAX_REPLAYED_EVENTS: Final = 10_000
PRUNE_EVERY_SECONDS: Final = 60.0

log = get_logger(__name__)


class Subscriber:
    """The queue of one stream. A stream that falls too far behind is ended; it can resume."""

    def __init__(self, event_filter: EventFilter) -> None:
        self.event_filter = event_filter
        self._queue: asyncio.Queue[StreamedEvent | None] = asyncio.Queue(MAX_QUEUED_EVENTS)
        self._ended = False
        self.is_aborted = False

    def offer(self, event: StreamedEvent) -> None:
        """Queue an event that the stream wants."""
        if self._ended or not self.event_filter.matches(event):
            return
        # One place stays free for the mark of the end, so that `end` never has to wait.
        if self._queue.qsize() >= MAX_QUEUED_EVENTS - 1:
            log.warning("event_stream_too_slow", tenant_id=self.event_filter.tenant_id)
            self.end()
        else:
            self._queue.put_nowait(event)

    def abort(self) -> None:
        """End the stream at once and drop what is queued."""
        self._ended = self.is_aborted = True
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    def end(self) -> None:
        """End the stream after what is queued."""
        if not self._ended:
            self._ended = True
            self._queue.put_nowait(None)

    async def next(self) -> StreamedEvent | None:
        """The next event; None is the end."""
        return await self._queue.get()

    def drain(self) -> list[StreamedEvent]:
        """What is queued now, without waiting; the mark of the end stays."""
        found: list[StreamedEvent] = []
        while not self._queue.empty():
            event = self._queue.get_nowait()
            if event is None:
                self._queue.put_nowait(None)
                break
            found.append(event)
        return found


class EventHub:
    """Fans committed events out to the open streams."""

    name = "event-hub"

    def __init__(self, database: Database, recent: EventStore, *, keep: int) -> None:
        self._database = database
        self._recent = recent
        self._keep = keep
        self._subscribers: set[Subscriber] = set()

    def publish(self, event: StreamedEvent) -> None:
        """Offer a committed event to every stream; never waits."""
        for subscriber in self._subscribers:
            subscriber.offer(event)

    async def run(self) -> None:
        """Prune the stored events once a minute; when cancelled, end all streams."""
        try:
            while True:
                await self._prune()
                await asyncio.sleep(PRUNE_EVERY_SECONDS)
        finally:
            for subscriber in self._subscribers:
                subscriber.end()

    async def _prune(self) -> None:
        try:
            async with self._database.across_tenants() as tx:
                await self._recent.prune(tx, keep=self._keep)
        except DatabaseUnavailable as error:
            log.warning("events_not_pruned", reason=str(error))

    @contextmanager
    def subscribed(self, event_filter: EventFilter) -> Iterator[Subscriber]:
        """A queue that gets every event from now on."""
        subscriber = Subscriber(event_filter)
        self._subscribers.add(subscriber)
        try:
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)

    async def stream(
        self,
        event_filter: EventFilter,
        after: UUID | None,
        until: Coroutine[Any, Any, None] | None = None,
    ) -> AsyncIterator[StreamedEvent]:
        """Events after `after` that are still kept, then all that come; none twice.

        The subscription begins before the stored ones are read, so that none falls between. When
        `until` is done, however that comes, nothing more is shown.
        """
        with self.subscribed(event_filter) as subscriber, _abort_when_done(until, subscriber):
            shown: set[UUID] = set()
            for stored in await self._stored(event_filter, after):
                if subscriber.is_aborted:
                    return
                shown.add(stored.event_id)
                yield stored
            while (event := await subscriber.next()) is not None:
                if event.event_id not in shown:
                    yield event

    async def can_resume(self, tenant_id: str, after: UUID) -> bool:
        """Whether all that came after this event is still kept."""
        async with self._database.transaction(tenant_id) as tx:
            return await self._recent.has(tx, tenant_id, after)

    async def _stored(self, event_filter: EventFilter, after: UUID | None) -> list[StreamedEvent]:
        if after is None:
            return []
        async with self._database.transaction(event_filter.tenant_id) as tx:
            events = await self._recent.since(
                tx, event_filter.tenant_id, after, limit=MAX_REPLAYED_EVENTS
            )
        return [event for event in events if event_filter.matches(event)]


@contextmanager
def _abort_when_done(
    until: Coroutine[Any, Any, None] | None, subscriber: Subscriber
) -> Iterator[None]:
    if until is None:
        yield
        return
    watching = asyncio.create_task(until)
    watching.add_done_callback(lambda _: subscriber.abort())
    try:
        yield
    finally:
        watching.cancel()
