"""Training telemetry, at a higher rate than anything else but feedback."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from archon_contracts import topics
from archon_contracts.base import Contract, Name, ValueObject
from archon_contracts.topics import Topic


class MetricPoint(ValueObject):
    """One value of one metric at one step."""

    name: str
    value: float
    step: int = Field(ge=0)
    epoch: float | None = None
    recorded_at: datetime


class MetricsRecorded(Contract):
    """A batch of points of one attempt."""

    topic: ClassVar[Topic] = topics.METRICS
    key_field: ClassVar[str] = "job_id"

    job_id: UUID
    agent_id: Name
    attempt: int = Field(ge=1)
    points: tuple[MetricPoint, ...] = Field(min_length=1)
