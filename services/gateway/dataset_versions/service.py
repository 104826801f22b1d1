"""Reads the files of prepared datasets: their quality report, and what changed between two."""

from __future__ import annotations

import asyncio
from typing import Final

from pydantic import ValidationError

from archon_contracts.formats import QUALITY_FILE, DatasetQuality, Split, split_file
from archon_contracts.rules.bounds import SATURATE
from services.gateway.dataset_versions.changes import PartLines, compare_versions
from services.gateway.dataset_versions.store import DatasetVersionStore
from services.gateway.dataset_versions.views import DatasetChangesView
from services.gateway.domain import PreparedDatasetView
from services.gateway.errors import FieldError, Invalid, NotFound
from shared.artifacts.store import ArtifactStore
from shared.errors import ArtifactCorrupt, ArtifactMissing, ArtifactUnsafe
from shared.postgres.database import Tx

MAX_COMPARED_ITEMS: Final = 200_000
"""Of both versions together; more would take this process's memory for one answer."""


class DatasetVersions:
    """Dataset versions and their files. Only `find` is in a transaction."""

    def __init__(self, store: DatasetVersionStore, artifacts: ArtifactStore) -> None:
        self._store = store
        self._artifacts = artifacts

    async def find(
        self, tx: Tx, tenant_id: str, agent_id: str, dataset_version: int
    ) -> PreparedDatasetView:
        """A version of an agent's dataset.

        Raises:
            NotFound: the agent has none of that number.
        """
        found = await self._store.find(tx, tenant_id, agent_id, dataset_version)
        if found is None:
            raise NotFound(f"dataset version of agent {agent_id}", dataset_version)
        return found

    async def read_quality(self, version: PreparedDatasetView) -> DatasetQuality:
        """The quality report of a version.

        Raises:
            NotFound: it has none (an update of the fast path, or prepared by an earlier release),
                or its files are not in the store any more.
        """
        try:
            content = await self._artifacts.read(version.artifact, QUALITY_FILE)
            # A figure beyond a bound of ours is shown at the bound, as elsewhere.
            return DatasetQuality.model_validate_json(content, context=SATURATE)
        except (ArtifactMissing, ArtifactCorrupt, ArtifactUnsafe, ValidationError) as error:
            raise NotFound(
                f"quality report of agent {version.agent_id}", f"version {version.dataset_version}"
            ) from error

    async def compare(
        self, version: PreparedDatasetView, before: PreparedDatasetView
    ) -> DatasetChangesView:
        """What changed since an earlier version.

        Raises:
            Invalid: the two hold more items than are compared here.
            NotFound: the files of one are not in the store any more.
        """
        total = sum(version.items.values()) + sum(before.items.values())
        if total > MAX_COMPARED_ITEMS:
            message = f"both versions hold {total} items, at most {MAX_COMPARED_ITEMS} are compared"
            raise Invalid([FieldError("query.since", "too_many", message)])
        parts, old = await self._read_parts(version), await self._read_parts(before)
        # In a thread: parsing tens of thousands of lines takes a second.
        return await asyncio.to_thread(compare_versions, version, parts, before, old)

    async def _read_parts(self, version: PreparedDatasetView) -> PartLines:
        try:
            return {
                part: await self._artifacts.read(version.artifact, split_file(part))
                for part in Split
            }
        except (ArtifactMissing, ArtifactCorrupt, ArtifactUnsafe) as error:
            raise NotFound(
                f"files of a dataset of agent {version.agent_id}",
                f"version {version.dataset_version}",
            ) from error
