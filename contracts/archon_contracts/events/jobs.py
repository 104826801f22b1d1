"""Events of jobs."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final
from uuid import UUID

from pydantic import Field

from archon_contracts import topics
from archon_contracts.base import Contract, Name, ValueObject
from archon_contracts.topics import Topic
from archon_contracts.values import ArtifactRef, ModelRef, TrainingConfig, TrainingMethod


class JobState(StrEnum):
    """Where a job stands. The last four are final."""

    REQUESTED = "requested"
    PLANNING = "planning"
    PREPARING = "preparing"
    QUEUED = "queued"
    TRAINING = "training"
    EVALUATING = "evaluating"
    REGISTERING = "registering"
    ROLLING_OUT = "rolling_out"
    COMPLETED = "completed"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the job is over: no event leads out of this state."""
        return self in _FINAL_STATES


_FINAL_STATES: Final = frozenset(
    {JobState.COMPLETED, JobState.REJECTED, JobState.FAILED, JobState.CANCELLED}
)


class TriggerReason(StrEnum):
    """Why a retrain began."""

    COUNT = "count"
    RATING_DROP = "rating_drop"
    DRIFT = "drift"
    AGE = "age"
    REGRET = "regret"
    SCHEDULE = "schedule"
    MANUAL = "manual"


class TrainingRequested(Contract):
    """A person or program asked for a training."""

    topic: ClassVar[Topic] = topics.JOBS
    key_field: ClassVar[str] = "job_id"

    job_id: UUID
    agent_id: Name
    method: TrainingMethod
    dataset: ArtifactRef | None = Field(
        default=None, description="Items to learn from; absent: all unused feedback."
    )
    dataset_name: str | None = None
    feedback_ids: tuple[UUID, ...] = Field(
        default=(),
        description="Feedback events that must be stored before the training begins, as they may "
        "come later than the request; they are learnt with all other unused feedback.",
    )
    source_agent: Name | None = Field(
        default=None,
        description="Of method transfer: the agent whose version is the start; absent: the base "
        "model is.",
    )
    source_version: str | None = Field(
        default=None, description="Its version; absent: the deployed one."
    )
    config: TrainingConfig = TrainingConfig()
    requested_by: str | None = Field(default=None, description="Who asked; absent: not said.")


class RetrainTriggered(Contract):
    """A trigger policy fired; the claimed window belongs to this job only."""

    topic: ClassVar[Topic] = topics.JOBS
    key_field: ClassVar[str] = "job_id"

    job_id: UUID
    agent_id: Name
    window_id: UUID
    reason: TriggerReason
    feedback_count: int = Field(ge=0)
    feedback_digest: str = Field(description="sha256 over the sorted feedback ids.")
    fast_path: bool = Field(
        default=False,
        description="Corrections that are learnt at once; a later window has them as new data too.",
    )


class JobStateChanged(Contract):
    """One transition of the job's state machine."""

    topic: ClassVar[Topic] = topics.JOBS
    key_field: ClassVar[str] = "job_id"

    job_id: UUID
    agent_id: Name
    method: TrainingMethod
    from_state: JobState | None = None
    to_state: JobState
    attempt: int = Field(ge=0)
    reason: str = ""
    occurred_at: datetime
    trace_id: str = Field(default="", description="Trace of the whole job, 32 hex digits.")


class LearningReport(ValueObject):
    """Whether a run learnt anything, by its own signals: whatever the gate says of the result.

    A signal that was not measured is absent, and decides nothing.
    """

    learnt: bool
    reasons: tuple[str, ...] = Field(default=(), description="The signals, one sentence each.")
    loss_before: float | None = None
    loss_after: float | None = None
    weights_moved: bool | None = None
    changed_answers: int | None = Field(
        default=None, ge=0, description="Answers that differ from those of the version before."
    )
    answered_items: int | None = Field(default=None, ge=0)
    right_gained: int | None = Field(
        default=None, description="Right answers more than the version before; negative: fewer."
    )


class FeedbackReturned(Contract):
    """A job ended without a version: what became of the feedback of its window."""

    topic: ClassVar[Topic] = topics.JOBS
    key_field: ClassVar[str] = "job_id"

    job_id: UUID
    agent_id: Name
    window_id: UUID
    returned: int = Field(ge=0, description="Feedback events that are new data again.")
    unlearnt: int = Field(ge=0, description="Feedback events that no job tries again by itself.")
    unlearnt_ids: tuple[UUID, ...] = Field(default=(), description="The first thousand of them.")
    reason: str = Field(description="Why they were not learnt.")


class JobCompleted(Contract):
    """The job's model is registered, and deployed unless it awaits a review."""

    topic: ClassVar[Topic] = topics.JOBS
    key_field: ClassVar[str] = "job_id"

    job_id: UUID
    agent_id: Name
    model: str = Field(description="Version registered, and deployed unless it awaits a review.")
    digest: str
    stage_seconds: dict[str, float] = Field(description="Seconds spent in each state.")
    awaits_review: bool = Field(default=False, description="A person decides on its deployment.")
    learning: LearningReport | None = Field(default=None, description="Whether the run learnt.")


class ReviewRequested(Contract):
    """A version passed the gate and is not deployed by itself: a person decides."""

    topic: ClassVar[Topic] = topics.JOBS
    key_field: ClassVar[str] = "job_id"

    job_id: UUID
    agent_id: Name
    model: ModelRef
    reasons: tuple[str, ...] = Field(description="Why it is not deployed by itself.")


class JobFailed(Contract):
    """A stage of the job could not be done."""

    topic: ClassVar[Topic] = topics.JOBS
    key_field: ClassVar[str] = "job_id"

    job_id: UUID
    agent_id: Name
    reason: str


class JobRejected(Contract):
    """The job was not accepted, at its request or by its evaluation; the deployed version stays."""

    topic: ClassVar[Topic] = topics.JOBS
    key_field: ClassVar[str] = "job_id"

    job_id: UUID
    agent_id: Name
    reason: str = Field(description="Why: the gate's reasons, or the refusal of another service.")
    evaluation_id: UUID | None = Field(
        default=None, description="Evaluation that decided; absent: refused without one."
    )
    learning: LearningReport | None = Field(default=None, description="Whether the run learnt.")


class JobCancelled(Contract):
    """The job was stopped on request."""

    topic: ClassVar[Topic] = topics.JOBS
    key_field: ClassVar[str] = "job_id"

    job_id: UUID
    agent_id: Name
    reason: str
