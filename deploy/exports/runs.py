"""A run as it is exported: its points, settings and what it gave."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from deploy.gateway_client import GatewayClient


@dataclass(frozen=True, slots=True)
class ExportedPoint:
    """One value of a metric; `at` is when the trainer recorded it."""

    name: str
    attempt: int
    step: int
    value: float
    at: datetime


@dataclass(frozen=True, slots=True)
class ExportedRun:
    """What other tools call a run: a job's trainings."""

    job_id: str
    agent_id: str
    method: str
    state: str
    created_at: datetime
    ended_at: datetime | None
    version: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    points: tuple[ExportedPoint, ...] = ()

    def by_metric(self) -> dict[tuple[str, int], list[ExportedPoint]]:
        """Points by metric and attempt, by step."""
        found: defaultdict[tuple[str, int], list[ExportedPoint]] = defaultdict(list)
        for point in self.points:
            found[point.name, point.attempt].append(point)
        return dict(found)


def read_run(gateway: GatewayClient, job_id: str) -> ExportedRun:
    """A run of the gateway with all of its points, one metric at a time."""
    job = gateway.get(f"/v1/jobs/{job_id}")
    series = gateway.get(f"/v1/jobs/{job_id}/series")["items"]
    names: Sequence[str] = sorted({each["name"] for each in series})
    points = [
        ExportedPoint(
            name,
            point["attempt"],
            point["step"],
            point["value"],
            datetime.fromisoformat(point["recorded_at"]),
        )
        for name in names
        for point in gateway.get(f"/v1/jobs/{job_id}/metrics", name=name)["items"]
    ]
    ended = job.get("state_at")
    return ExportedRun(
        job_id=job["job_id"],
        agent_id=job["agent_id"],
        method=job["method"] or "",
        state=job["state"],
        created_at=datetime.fromisoformat(job["created_at"]),
        ended_at=datetime.fromisoformat(ended) if ended else None,
        version=job.get("version"),
        config=job.get("config") or {},
        points=tuple(points),
    )
