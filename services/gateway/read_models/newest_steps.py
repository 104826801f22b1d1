"""How far trainings are, by the metrics that they recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from archon_contracts.events import MetricPoint, MetricsRecorded
from archon_contracts.metric_names import TRAIN_LOSS


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """The newest step of a training; without a loss where none was recorded."""

    tenant_id: str
    job_id: UUID
    attempt: int
    step: int
    loss: float | None
    recorded_at: datetime


def find_newest_steps(events: Sequence[MetricsRecorded]) -> list[TrainingStep]:
    """One step of each job of the events, in its newest attempt."""
    by_job = dict[tuple[str, UUID], list[MetricsRecorded]]()
    for event in events:
        by_job.setdefault((event.tenant_id, event.job_id), []).append(event)
    return [_newest(mine) for mine in by_job.values()]


def _newest(events: Sequence[MetricsRecorded]) -> TrainingStep:
    attempt = max(event.attempt for event in events)
    points = [point for event in events if event.attempt == attempt for point in event.points]
    newest = max(points, key=_place)
    losses = [point for point in points if point.name == TRAIN_LOSS]
    return TrainingStep(
        tenant_id=events[0].tenant_id,
        job_id=events[0].job_id,
        attempt=attempt,
        step=newest.step,
        loss=max(losses, key=_place).value if losses else None,
        recorded_at=newest.recorded_at,
    )


def _place(point: MetricPoint) -> tuple[int, datetime]:
    return point.step, point.recorded_at
