"""Answers about jobs.

Written by `python -m tests.reference` from the OpenAPI document; do not edit.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from archon_contracts.client.sdk.answers.base import ApiAnswer


class JobAcceptedInfo(ApiAnswer):
    """The answer to an accepted training request."""

    job_id: UUID
    trace_id: str


class JobSummaryInfo(ApiAnswer):
    """A job in the list."""

    job_id: UUID
    agent_id: str
    method: str | None = None
    state: str
    attempt: int
    reason: str
    trace_id: str
    version: str | None = None
    dataset_name: str | None = None
    created_at: datetime
    state_at: datetime | None = None


class TransitionInfo(ApiAnswer):
    """One step of a job's history."""

    state: str
    from_state: str | None = None
    attempt: int
    reason: str
    at: datetime


class TrainingProgressInfo(ApiAnswer):
    """Progress of a training."""

    attempt: int
    step: int
    total_steps: int | None = None
    loss: float | None = None
    eta_seconds: float | None = None


class JobInfo(ApiAnswer):
    """A job with its history, progress and results."""

    job_id: UUID
    agent_id: str
    method: str | None = None
    state: str
    attempt: int
    reason: str
    trace_id: str
    version: str | None = None
    dataset_name: str | None = None
    created_at: datetime
    state_at: datetime | None = None
    history: list[TransitionInfo]
    progress: TrainingProgressInfo | None = None
    dataset: dict[str, Any] | None = Field(default=None, description="DatasetPrepared.")
    evaluation: dict[str, Any] | None = Field(default=None, description="EvaluationCompleted.")
    trigger: dict[str, Any] | None = Field(default=None, description="RetrainTriggered.")
    learning: dict[str, Any] | None = Field(
        default=None, description="LearningReport: whether the run learnt something."
    )
    returned: dict[str, Any] | None = Field(default=None, description="FeedbackReturned.")
    config: dict[str, Any] | None = None
    requested_by: str | None = None
    digest: str | None = None
    stage_seconds: dict[str, float]


class SpanInfo(ApiAnswer):
    """A span of a trace."""

    span_id: str
    parent_id: str | None = None
    service: str
    name: str
    kind: str
    started_at: datetime
    ended_at: datetime
    status: str
    error: str | None = None
    attributes: dict[str, Any]
    links: list[str]


class TraceInfo(ApiAnswer):
    """A trace; an orphan names a parent that is not in it."""

    trace_id: str
    spans: list[SpanInfo]
    orphans: list[str]
    services: list[str]


class MetricInfo(ApiAnswer):
    """One value of one training metric, as it was recorded."""

    name: str
    step: int
    value: float
    attempt: int
    epoch: float | None = None
    recorded_at: datetime


class SeriesInfo(ApiAnswer):
    """One metric of one training attempt, summed up."""

    name: str
    attempt: int
    points: int
    first_step: int
    last_step: int
    lowest: float
    highest: float
    newest: float = Field(description="Value at the last step.")


class CurveInfo(ApiAnswer):
    """One metric of one training attempt by step, thinned to a bounded number of points."""

    name: str
    attempt: int
    points: int = Field(description="How many were recorded; more than are here: it is thinned.")
    steps: list[int]
    values: list[float]
