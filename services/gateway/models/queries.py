"""Reads of an agent's versions for routes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from archon_contracts.formats import FEEDBACK_IDS_FILE
from services.gateway.domain import ModelView
from services.gateway.models.comparison import compare_models
from services.gateway.models.rules import TRAINING
from services.gateway.models.search import ModelFilter
from services.gateway.models.store import ModelReads
from services.gateway.read_models.queries import QueryService
from services.gateway.views.models import Ancestor, ComparisonView, LineageView
from shared.artifacts.store import ArtifactStore
from shared.errors import ArtifactCorrupt, ArtifactMissing, ArtifactUnsafe
from shared.postgres.database import Tx

MAX_FEEDBACK_IDS: Final = 1_000


class ModelQueries:
    """Reads of one tenant's versions; a missing one raises NotFound. `tx` is only read from."""

    def __init__(self, queries: QueryService, reads: ModelReads, artifacts: ArtifactStore) -> None:
        self._queries = queries
        self._reads = reads
        self._artifacts = artifacts

    async def search(
        self,
        tx: Tx,
        tenant_id: str,
        agent_id: str,
        wanted: ModelFilter,
        *,
        limit: int,
        offset: int,
    ) -> tuple[list[ModelView], bool]:
        """The versions that fit, newest first, and whether the last one read did not fit."""
        await self._queries.require_agent(tx, tenant_id, agent_id)
        if wanted.status == TRAINING:
            found = await self._reads.candidates(tx, tenant_id, agent_id)
            return found[offset : offset + limit], False
        return await self._reads.search(tx, tenant_id, agent_id, wanted, limit=limit, offset=offset)

    async def compare(
        self, tx: Tx, tenant_id: str, agent_id: str, versions: tuple[str, str]
    ) -> ComparisonView:
        """Two versions of an agent side by side."""
        first, second = [
            await self._queries.model(tx, tenant_id, agent_id, version) for version in versions
        ]
        left, right = [
            await self._reads.ancestors(tx, tenant_id, agent_id, version) for version in versions
        ]
        return compare_models(first, second, (left, right))

    async def ancestry(
        self, tx: Tx, tenant_id: str, agent_id: str, version: str
    ) -> tuple[ModelView, list[Ancestor]]:
        """A version, and itself with those that it goes back to."""
        model = await self._queries.model(tx, tenant_id, agent_id, version)
        return model, await self._reads.ancestors(tx, tenant_id, agent_id, version)

    async def build_lineage(self, model: ModelView, ancestors: Sequence[Ancestor]) -> LineageView:
        """A version's origin with its feedback; reads a file, so it is not in a transaction."""
        ids = await self._read_feedback_ids(model)
        return LineageView(
            agent_id=model.agent_id,
            version=model.version,
            lineage=model.lineage,
            ancestors=list(ancestors),
            feedback_ids=None if ids is None else ids[:MAX_FEEDBACK_IDS],
            feedback_total=None if ids is None else len(ids),
        )

    async def _read_feedback_ids(self, model: ModelView) -> list[str] | None:
        if model.lineage.dataset is None:
            return None
        try:
            content = await self._artifacts.read(model.lineage.dataset, FEEDBACK_IDS_FILE)
        except (ArtifactMissing, ArtifactCorrupt, ArtifactUnsafe):
            return None
        return content.decode().split()
