"""Reads of versions: search, candidates in training, and lineage."""

from __future__ import annotations

from services.gateway.domain import Lineage, ModelView
from services.gateway.load.list_parts import read_part
from services.gateway.models.rules import TRAINING
from services.gateway.models.search import ModelFilter
from services.gateway.views.models import Ancestor
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries

MAX_ANCESTORS = 100


class ModelReads:
    """One method per query; never commits."""

    def __init__(self) -> None:
        self._queries = load_queries("services.gateway")

    async def search(
        self, tx: Tx, tenant_id: str, agent_id: str, wanted: ModelFilter, *, limit: int, offset: int
    ) -> tuple[list[ModelView], bool]:
        """Versions that fit, newest first; see `read_part`."""
        names, lows, highs = zip(*wanted.metrics, strict=True) if wanted.metrics else ((), (), ())
        rows = self._queries.search_models(
            tx,
            tenant_id=tenant_id,
            agent_id=agent_id,
            status=wanted.status,
            digest=wanted.digest,
            parent_version=wanted.parent_version,
            job_id=wanted.job_id,
            dataset_id=wanted.dataset_id,
            facts=wanted.facts,
            metric_names=list(names),
            lows=list(lows),
            highs=list(highs),
            limit=limit,
            offset=offset,
        )
        found, is_cut = await read_part(rows, "evaluation")
        return [ModelView(**dict(row), lineage=Lineage(**dict(row))) for row in found], is_cut

    async def candidates(self, tx: Tx, tenant_id: str, agent_id: str) -> list[ModelView]:
        """What is in training: a pre-release of the version that the next registration gives."""
        rows = self._queries.candidates(tx, tenant_id=tenant_id, agent_id=agent_id)
        return [
            ModelView(
                agent_id=agent_id,
                version=f"{row['next_version']}-candidate.{row['job_id'].hex[-12:]}",
                status=TRAINING,
                digest="",
                uri="",
                metrics={},
                lineage=Lineage(job_id=row["job_id"], method=row["method"], config=row["config"]),
                reason=f"the job is {row['state']}",
            )
            async for row in rows
        ]

    async def ancestors(
        self, tx: Tx, tenant_id: str, agent_id: str, version: str
    ) -> list[Ancestor]:
        """A version and those that it goes back to, itself first."""
        rows = self._queries.ancestors(
            tx, tenant_id=tenant_id, agent_id=agent_id, version=version, limit=MAX_ANCESTORS
        )
        return [Ancestor(**dict(row)) async for row in rows]
