"""Exports of windows: page by page, so that memory does not follow the window's size."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from archon_contracts.commands import SourceKind
from services.coordinator.feedback.stats import StoredFeedback
from services.coordinator.retraining import sources
from services.coordinator.retraining.sources import PAGE_ROWS, SourcePublisher
from tests.support.coordinator.coordinator import feedback, items_in
from tests.support.coordinator.coordinator_memory import MemoryArtifacts
from tests.support.coordinator.memory_store import MemoryStore
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
