"""Exports of windows: page by page, so that memory does not follow the window's size."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from archon_contracts.commands import SourceKind
from archon_contracts.event_ids import event_id_of
from archon_contracts.events import InteractionLogged
from services.coordinator.feedback.records import FeedbackRow, InteractionRow
from services.coordinator.feedback.stats import StoredFeedback
from services.coordinator.retraining import sources
from services.coordinator.retraining.sources import PAGE_ROWS, SourcePublisher
from tests.support.coordinator.coordinator import configure, feedback, items_in
from tests.support.coordinator.coordinator_memory import MemoryArtifacts
from tests.support.coordinator.memory_feedback import MemoryFeedback
from tests.support.coordinator.memory_store import MemoryStore
from tests.support.coordinator.stores import KEY
from tests.support.messaging.messages import NOON

WINDOW = UUID(int=1)


class CountedWindow:
    """A window of large events; knows how many rows were in memory at most."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self.largest_page = 0
        self.open = 0

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[Any]:
        """A transaction; counts how many are open."""
        self.open += 1
        yield None
        self.open -= 1

    async def window_feedback(
        self, _tx: object, _window: UUID, *, after: StoredFeedback | None = None, limit: int
    ) -> list[StoredFeedback]:
        assert self.open == 1
        start = after.event_id.int + 1 if after else 0
        numbers = range(start, min(start + limit, self._rows))
        self.largest_page = max(self.largest_page, len(numbers))
        return [
            StoredFeedback(UUID(int=n), "user", None, NOON, feedback(f"i{n}").to_bytes())
            for n in numbers
        ]

    async def window_annotations(
        self, _tx: object, _window: UUID, *, after_item: str = "", limit: int
    ) -> list[StoredFeedback]:
        return []


async def test_an_export_holds_one_page_and_writes_every_item() -> None:
    rows = 3 * PAGE_ROWS + 1
    window, artifacts = CountedWindow(rows), MemoryArtifacts()

    publisher = SourcePublisher(window, MemoryStore(), artifacts)
    (source,) = (await publisher.publish_window(window.begin, WINDOW)).sources

    assert (source.kind, source.items) == (SourceKind.FEEDBACK, rows)
    content = await artifacts.read(source.artifact, "items.jsonl")
    assert [item["id"] for item in items_in(content)] == [str(UUID(int=n)) for n in range(rows)]
    assert window.largest_page == PAGE_ROWS


async def test_no_transaction_is_open_while_lines_are_written(monkeypatch: Any) -> None:
    window, seen = CountedWindow(2 * PAGE_ROWS), []
    write = sources._append

    def append(*arguments: Any) -> int:
        seen.append(window.open)
        return write(*arguments)

    monkeypatch.setattr(sources, "_append", append)

    publisher = SourcePublisher(window, MemoryStore(), MemoryArtifacts())
    await publisher.publish_window(window.begin, WINDOW)

    assert seen == [0, 0]


async def test_a_late_rating_rates_the_version_of_its_interaction() -> None:
    """Whatever is deployed by then: a later version never gains by it."""
    store, artifacts = MemoryStore(), MemoryArtifacts()
    window = MemoryFeedback(store)
    await store.put_agent(None, configure(), NOON)
    logged = InteractionLogged(
        agent_id=KEY.agent_id, interaction_id="i1", input="what?", model_version="1.0.0"
    )
    kept = InteractionRow(KEY, event_id_of(logged), logged.to_bytes())
    await window.insert_interactions(None, [kept], NOON)
    rating = feedback("i1", expected=None, rating=5).to_bytes()
    row = FeedbackRow(KEY, UUID(int=1), "i1", "user", 5, True, None, rating)
    agents = await window.lock_all_stats(None, {KEY})
    await window.insert_feedback(None, [row], agents, NOON)
    await window.claim(None, KEY, WINDOW, 9)

    publisher = SourcePublisher(window, store, artifacts)
    published = await publisher.publish_window(contextlib.nullcontext, WINDOW, KEY)

    (item,) = items_in(await artifacts.read(published.sources[0].artifact, "items.jsonl"))
    assert (item["rating"], item["model_version"]) == (5, "1.0.0")
