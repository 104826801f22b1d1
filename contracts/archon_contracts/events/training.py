"""The life of one training attempt."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from archon_contracts import topics
from archon_contracts.base import Contract, Name, ValueObject
from archon_contracts.topics import Topic
from archon_contracts.values import ArtifactRef


class TrainingStarted(Contract):
    """The first optimizer step of an attempt is done."""

    topic: ClassVar[Topic] = topics.TRAINING
    key_field: ClassVar[str] = "job_id"

    job_id: UUID
    agent_id: Name
    attempt: int = Field(ge=1)
    worker_id: str
    total_steps: int = Field(ge=1)
    resumed_from_step: int = Field(default=0, ge=0)
    first_step_at: datetime


class CheckpointSaved(Contract):
    """Training can resume from this step."""

    topic: ClassVar[Topic] = topics.TRAINING
    key_field: ClassVar[str] = "job_id"

    job_id: UUID
    agent_id: Name
    attempt: int = Field(ge=1)
    step: int = Field(ge=1)
    uri: str


class ClosedFormModel(ValueObject):
    """The closed form of a training whose fine-tuned model was better on the validation items."""

    artifact: ArtifactRef
    metrics: dict[str, float] = Field(default_factory=dict, description="See `metric_names`.")


class TrainingCompleted(Contract):
    """An attempt gave a model."""

    topic: ClassVar[Topic] = topics.TRAINING
    key_field: ClassVar[str] = "job_id"

    job_id: UUID
    agent_id: Name
    attempt: int = Field(ge=1)
    model: ArtifactRef
    steps: int = Field(ge=1)
    metrics: dict[str, float] = Field(default_factory=dict)
    duration_seconds: float = Field(ge=0)
    peak_memory_mb: float = Field(ge=0)
    library_versions: dict[str, str] = Field(default_factory=dict)
    closed_form: ClosedFormModel | None = Field(
        default=None,
        description="The free option beside a fine-tuned model; absent: the model is the closed "
        "form itself, or its kind has none.",
    )


class TrainingFailed(Contract):
    """An attempt ended without a model."""

    topic: ClassVar[Topic] = topics.TRAINING
    key_field: ClassVar[str] = "job_id"

    job_id: UUID
    agent_id: Name
    attempt: int = Field(ge=1)
    error_type: str
    reason: str
    retryable: bool
