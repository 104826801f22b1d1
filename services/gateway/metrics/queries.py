"""Reads of a job's metrics for routes; a job that the caller may not see raises NotFound."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from services.gateway.auth.credentials import Caller
from services.gateway.domain import JobView
from services.gateway.metrics.store import MetricReads
from services.gateway.read_models.queries import QueryService
from services.gateway.views.metrics import (
    CostsView,
    CurveView,
    MetricSample,
    MetricView,
    SeriesView,
)
from shared.postgres.database import Tx

REPORT_POINTS: Final = 500
"""Of a curve in a run's report: more than its chart has pixels."""


class MetricQueries:
    """`tx` is only read from."""

    def __init__(self, queries: QueryService, reads: MetricReads) -> None:
        self._queries = queries
        self._reads = reads

    async def points(
        self, tx: Tx, caller: Caller, job_id: UUID, names: Sequence[str] | None
    ) -> list[MetricView]:
        """The points of a job's trainings as they came."""
        return await self._reads.points(tx, await self._queries.job(tx, caller, job_id), names)

    async def series(self, tx: Tx, caller: Caller, job_id: UUID) -> list[SeriesView]:
        """Each metric of each attempt of a job, summed up."""
        return await self._reads.series(tx, await self._queries.job(tx, caller, job_id))

    async def curves(
        self, tx: Tx, caller: Caller, job_id: UUID, names: Sequence[str] | None, points: int
    ) -> list[CurveView]:
        """Each metric of each attempt of a job by step, thinned."""
        job = await self._queries.job(tx, caller, job_id)
        return await self._reads.curves(tx, job, names=names, points=points)

    async def costs(self, tx: Tx, since: datetime, agent_id: str | None) -> CostsView:
        """What trainings used, by agent and together."""
        return CostsView.of(since, await self._reads.costs(tx, since, agent_id))

    async def samples(self, tx: Tx, job: JobView) -> list[MetricSample]:
        """The thinned curves of a job as single values, for its report."""
        curves = await self._reads.curves(tx, job, points=REPORT_POINTS)
        return [
            MetricSample(name=curve.name, attempt=curve.attempt, step=step, value=value)
            for curve in curves
            for step, value in zip(curve.steps, curve.values, strict=True)
        ]
