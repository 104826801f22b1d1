"""Sources of training data in the artifact store: exported windows and provided datasets."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

from archon_contracts.commands import DataSource, SourceKind
from archon_contracts.formats import ITEMS_FILE, count_lines
from archon_contracts.values import ArtifactRef
from services.coordinator.errors import NothingToLearn
from services.coordinator.feedback.stats import StoredFeedback
from services.coordinator.retraining.ports import ArtifactStore, WindowFeedback
from services.coordinator.retraining.window_export import (
    JsonLines,
    annotation_lines,
    feedback_lines,
)
from shared.postgres.database import Tx


class SourcePublisher:
    """Reads and writes files; only `read_window` touches the database."""

    def __init__(self, feedback: WindowFeedback, artifacts: ArtifactStore) -> None:
        self._feedback = feedback
        self._artifacts = artifacts

    async def read_window(self, tx: Tx, window_id: UUID) -> list[StoredFeedback]:
        """The window's feedback without what was retracted since the claim."""
        return await self._feedback.window_feedback(tx, window_id)

    async def publish_window(self, feedback: Sequence[StoredFeedback]) -> tuple[DataSource, ...]:
        """Publish one source for feedback and one for annotations, each if it has items.

        Raises:
            NothingToLearn: all of it was retracted.
        """
        # A window may hold many thousand events: building its lines must not stop the loop.
        lines = await asyncio.to_thread(_lines_by_kind, feedback)
        sources = [await self._publish(kind, each) for kind, each in lines if each.items]
        if not sources:
            raise NothingToLearn("all feedback of the window was retracted")
        return tuple(sources)

    async def read_provided(self, dataset: ArtifactRef) -> tuple[DataSource, ...]:
        """The dataset that a request named, as a source.

        Raises:
            ArtifactMissing, ArtifactCorrupt: see `shared.artifacts.store`.
            NothingToLearn: it holds no item.
        """
        items = count_lines(await self._artifacts.read(dataset, ITEMS_FILE))
        if items == 0:
            raise NothingToLearn(f"{ITEMS_FILE} of the provided dataset holds no item; add some")
        return (DataSource(kind=SourceKind.EXTERNAL, artifact=dataset, items=items),)

    async def _publish(self, kind: SourceKind, lines: JsonLines) -> DataSource:
        artifact = await self._artifacts.publish_files({ITEMS_FILE: lines.content})
        return DataSource(kind=kind, artifact=artifact, items=lines.items)


def _lines_by_kind(feedback: Sequence[StoredFeedback]) -> list[tuple[SourceKind, JsonLines]]:
    return [
        (SourceKind.FEEDBACK, feedback_lines(feedback)),
        (SourceKind.HUMAN, annotation_lines(feedback)),
    ]
