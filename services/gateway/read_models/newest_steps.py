"""How far trainings are, by the metrics that they recorded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from archon_contracts.events import MetricPoint, MetricsRecorded
from archon_contracts.metric_names import TRAIN_LOSS

COLUMNS: Final = ("tenant_ids", "job_ids", "attempts", "steps", "losses", "moments")


def find_newest_steps(events: Sequence[MetricsRecorded]) -> dict[str, list[Any]]:
    """One step of each job of the events, in its newest attempt, as columns."""
    by_job = dict[tuple[str, UUID], list[MetricsRecorded]]()
    for event in events:
        by_job.setdefault((event.tenant_id, event.job_id), []).append(event)
    rows = [(*job, *_newest(mine)) for job, mine in by_job.items()]
    return {name: [row[place] for row in rows] for place, name in enumerate(COLUMNS)}


def _newest(events: Sequence[MetricsRecorded]) -> tuple[int, int, float | None, datetime]:
    attempt = max(event.attempt for event in events)
    points = [point for event in events if event.attempt == attempt for point in event.points]
    newest = max(points, key=_place)
    losses = [point for point in points if point.name == TRAIN_LOSS]
    loss = max(losses, key=_place).value if losses else None
    return attempt, newest.step, loss, newest.recorded_at


def _place(point: MetricPoint) -> tuple[int, datetime]:
    return point.step, point.recorded_at
