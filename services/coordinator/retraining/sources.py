"""Sources of training data in the artifact store: exported windows and provided datasets."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final
from uuid import UUID

import orjson

from archon_contracts.commands import DataSource, SourceKind
from archon_contracts.formats import CATALOGUE_FILE, ITEMS_FILE, count_lines
from archon_contracts.rules.normal_text import clean_text
from archon_contracts.values import AgentKind, AgentProfile, ArtifactRef
from services.coordinator.domain import AgentKey
from services.coordinator.errors import NothingToLearn
from services.coordinator.feedback.stats import StoredFeedback
from services.coordinator.jobs.ports import ConfiguredAgents
from services.coordinator.retraining.known_answers import split_by_known_answers
from services.coordinator.retraining.ports import ArtifactStore, WindowFeedback
from services.coordinator.retraining.rated_versions import (
    rated_interactions,
    with_interactions,
)
from services.coordinator.retraining.window_export import (
    JsonLines,
    annotation_lines,
    feedback_lines,
)
from shared.postgres.database import Tx

PAGE_ROWS: Final = 256
"""Rows in memory at a time. At the event limit of 64 kB these are 16 MB, a quarter of a window."""

BeginTransaction = Callable[[], AbstractAsyncContextManager[Tx]]
Lines = Callable[[Iterable[StoredFeedback]], JsonLines]


@dataclass(frozen=True, slots=True)
class PublishedSources:
    """The files of a job, and the feedback that waits for an answer of its agent instead."""

    sources: tuple[DataSource, ...]
    waiting: Mapping[UUID, str] = field(default_factory=dict)
    catalogue: ArtifactRef | None = None
    """What the agent's answers were read from; None: from its labels."""

    @property
    def waiting_by_answer(self) -> dict[str, int]:
        """How many corrections wait for each answer."""
        return dict(Counter(self.waiting.values()))


class SourcePublisher:
    """Reads and writes files; of the database it reads the window's feedback."""

    def __init__(
        self, feedback: WindowFeedback, agents: ConfiguredAgents, artifacts: ArtifactStore
    ) -> None:
        self._feedback = feedback
        self._agents = agents
        self._artifacts = artifacts

    async def publish_window(
        self, begin: BeginTransaction, window_id: UUID, key: AgentKey | None = None
    ) -> PublishedSources:
        """Publish one source for feedback and one for annotations, each if it has items.

        Feedback that was retracted since the claim is left out. The window is read page by page,
        each in a transaction of its own from `begin`: an export holds one page in memory, and no
        row stays locked while a file is written. There may be no source, when all feedback waits
        for answers that the agent `key` does not have.

        Raises:
            NothingToLearn: all of it was retracted.
            ArtifactMissing, ArtifactCorrupt: the agent's catalogue cannot be read.
        """
        async with begin() as tx:
            agent = await self._agents.find_agent(tx, key) if key else None
        profile = agent.profile if agent else None
        answers = await self._known_answers(profile)
        sources, waiting = list[DataSource](), dict[UUID, str]()
        contents: tuple[tuple[SourceKind, AsyncIterator[list[StoredFeedback]], Lines], ...] = (
            (SourceKind.FEEDBACK, self._feedback_pages(begin, window_id, key), feedback_lines),
            (SourceKind.HUMAN, self._annotation_pages(begin, window_id), annotation_lines),
        )
        with tempfile.TemporaryDirectory() as temporary:
            for kind, pages, to_lines in contents:
                folder = Path(temporary) / kind
                folder.mkdir()
                usable = _set_waiting_aside(pages, answers, waiting)
                items = await _write(folder / ITEMS_FILE, usable, to_lines)
                if items:
                    artifact = await self._artifacts.publish(folder)
                    sources.append(DataSource(kind=kind, artifact=artifact, items=items))
        if not sources and not waiting:
            raise NothingToLearn("all feedback of the window was retracted")
        catalogue = profile.catalogue if profile else None
        return PublishedSources(tuple(sources), waiting, catalogue)

    async def publish_update(self, feedback: Sequence[StoredFeedback]) -> PublishedSources:
        """Publish what an update of the fast path learns: a handful of corrections.

        Raises:
            NothingToLearn: all of it was retracted.
        """
        # A key that names no units would be a crowd, which the trust rules spare much: among a
        # handful of corrections it is one rater.
        lines = feedback_lines(feedback, name_submitters=True)
        if not lines.items:
            raise NothingToLearn("all feedback of the update was retracted")
        with tempfile.TemporaryDirectory() as temporary:
            (Path(temporary) / ITEMS_FILE).write_bytes(lines.content)
            artifact = await self._artifacts.publish(Path(temporary))
        source = DataSource(kind=SourceKind.FEEDBACK, artifact=artifact, items=lines.items)
        return PublishedSources((source,))

    async def _known_answers(self, profile: AgentProfile | None) -> frozenset[str] | None:
        """What the agent can answer, as data preparation sees it; None: any text."""
        if profile is None or profile.kind is AgentKind.GENERATOR:
            return None
        if profile.catalogue is not None:
            content = await self._artifacts.read(profile.catalogue, CATALOGUE_FILE)
            return frozenset(clean_text(entry["name"]) for entry in orjson.loads(content))
        return frozenset(profile.labels) or None

    async def read_provided(self, dataset: ArtifactRef) -> PublishedSources:
        """The dataset that a request named, as a source.

        Raises:
            ArtifactMissing, ArtifactCorrupt: see `shared.artifacts.store`.
            NothingToLearn: it holds no item.
        """
        items = count_lines(await self._artifacts.read(dataset, ITEMS_FILE))
        if items == 0:
            raise NothingToLearn(f"{ITEMS_FILE} of the provided dataset holds no item; add some")
        source = DataSource(kind=SourceKind.EXTERNAL, artifact=dataset, items=items)
        return PublishedSources((source,))

    async def _feedback_pages(
        self, begin: BeginTransaction, window_id: UUID, key: AgentKey | None
    ) -> AsyncIterator[list[StoredFeedback]]:
        last: StoredFeedback | None = None
        while True:
            async with begin() as tx:
                page = await self._feedback.window_feedback(
                    tx, window_id, after=last, limit=PAGE_ROWS
                )
                rated = rated_interactions(key, page)
                if key and rated:
                    ids = set(rated.values())
                    found = await self._feedback.interaction_bodies(tx, key, ids)
                    page = with_interactions(page, rated, found)
            if page:
                yield page
            if len(page) < PAGE_ROWS:
                return
            last = page[-1]

    async def _annotation_pages(
        self, begin: BeginTransaction, window_id: UUID
    ) -> AsyncIterator[list[StoredFeedback]]:
        """Pages of whole items: one line holds all labels of an item."""
        item = ""
        while True:
            async with begin() as tx:
                page = await self._feedback.window_annotations(
                    tx, window_id, after_item=item, limit=PAGE_ROWS
                )
            if not page:
                return
            yield page
            item = orjson.loads(page[-1].body)["item_id"]


async def _set_waiting_aside(
    pages: AsyncIterator[list[StoredFeedback]],
    answers: Collection[str] | None,
    waiting: dict[UUID, str],
) -> AsyncIterator[list[StoredFeedback]]:
    """The pages without what waits for an answer, which is added to `waiting`."""
    async for page in pages:
        parts = await asyncio.to_thread(split_by_known_answers, page, answers)
        waiting.update(parts.waiting)
        yield parts.usable


async def _write(path: Path, pages: AsyncIterator[list[StoredFeedback]], to_lines: Lines) -> int:
    """Write the pages' lines; returns how many items they are."""
    items = 0
    with path.open("wb") as file:
        async for page in pages:
            # Building lines is work of the processor, and the loop serves others meanwhile.
            items += await asyncio.to_thread(_append, file, page, to_lines)
    return items


def _append(file: BinaryIO, page: Sequence[StoredFeedback], to_lines: Lines) -> int:
    lines = to_lines(page)
    file.write(lines.content)
    return lines.items
