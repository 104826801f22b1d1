"""Reads of metric series. Every read is bounded; none commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final

from archon_contracts.metric_names import PEAK_MEMORY, RESOURCES, SUMMED_RESOURCES
from services.gateway.domain import JobSummary
from services.gateway.errors import FieldError, Invalid
from services.gateway.views.metrics import AgentCost, CurveView, MetricView, SeriesView
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries

CLOCK_TOLERANCE: Final = timedelta(days=1)
"""How far a trainer's clock may be behind; older partitions than the job are not looked into."""
MAX_POINTS: Final = 100_000
"""Of one answer with every point."""


class MetricReads:
    """One method per query."""

    def __init__(self) -> None:
        self._queries = load_queries("services.gateway")

    async def points(
        self, tx: Tx, job: JobSummary, names: Sequence[str] | None = None
    ) -> list[MetricView]:
        """The points of a job's trainings as they came.

        Raises:
            Invalid: there are more than `MAX_POINTS`.
        """
        rows = self._queries.job_metrics(
            tx,
            job_id=job.job_id,
            since=job.created_at - CLOCK_TOLERANCE,
            names=_array(names),
            limit=MAX_POINTS + 1,
        )
        found = [MetricView(**dict(row)) async for row in rows]
        if len(found) > MAX_POINTS:
            message = (
                f"the job has more than {MAX_POINTS} points of these metrics; name fewer of them, "
                f"or read /v1/jobs/{job.job_id}/curves, which thins them"
            )
            raise Invalid([FieldError("query.name", "too_many_points", message)])
        return found

    async def costs(self, tx: Tx, since: datetime, agent_id: str | None) -> list[AgentCost]:
        """What the trainings of each agent used, of jobs that were created since then."""
        rows = self._queries.training_costs(
            tx, since=since, agent_id=agent_id, summed=list(SUMMED_RESOURCES), peak=PEAK_MEMORY
        )
        return [
            AgentCost(
                agent_id=row["agent_id"],
                trainings=row["trainings"],
                peak_memory_mb=row["peak_memory_mb"],
                **{
                    name.removeprefix(RESOURCES): (row["amounts"] or {}).get(name, 0.0)
                    for name in SUMMED_RESOURCES
                },
            )
            async for row in rows
        ]

    async def series(self, tx: Tx, job: JobSummary) -> list[SeriesView]:
        """Each metric of each attempt, summed up."""
        rows = self._queries.metric_series(
            tx, job_id=job.job_id, since=job.created_at - CLOCK_TOLERANCE
        )
        return [SeriesView(**dict(row)) async for row in rows]

    async def curves(
        self, tx: Tx, job: JobSummary, *, names: Sequence[str] | None = None, points: int
    ) -> list[CurveView]:
        """Each metric of each attempt by step, of `points` points at most (an even number)."""
        rows = self._queries.metric_curves(
            tx,
            job_id=job.job_id,
            since=job.created_at - CLOCK_TOLERANCE,
            names=_array(names),
            buckets=points // 2,
        )
        found = [row async for row in rows]
        return [
            _curve(list(group))
            for _, group in groupby(found, key=lambda row: (row["attempt"], row["name"]))
        ]

    async def keep_partitions(self, tx: Tx, *, keep_days: int) -> None:
        """Make the partitions of the months ahead, and drop old ones; 0 days: all are kept."""
        await self._queries.make_metric_partitions(tx)
        if keep_days:
            await self._queries.drop_metric_partitions(tx, keep_days=keep_days)


def _curve(rows: Sequence[Mapping[str, Any]]) -> CurveView:
    first = rows[0]
    return CurveView(
        name=first["name"],
        attempt=first["attempt"],
        points=first["points"],
        steps=[row["step"] for row in rows],
        values=[row["value"] for row in rows],
    )


def _array(names: Sequence[str] | None) -> list[str] | None:
    return None if names is None else list(names)
