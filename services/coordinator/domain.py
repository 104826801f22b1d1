"""Agents, windows and jobs as the coordinator sees them. Values only: no I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID

from pydantic import Field

from archon_contracts.base import ValueObject
from archon_contracts.commands import DataSource
from archon_contracts.events import (
    ClosedFormModel,
    CurriculumPlan,
    JobState,
    LearningReport,
    TriggerReason,
)
from archon_contracts.identifiers import derived_id
from archon_contracts.values import (
    AgentProfile,
    ArtifactRef,
    Estimate,
    ModelRef,
    RetentionStrategy,
    TrainingConfig,
    TrainingMethod,
)


class AgentKey(NamedTuple):
    """Whose agent: the key by which all its state is reached."""

    tenant_id: str
    agent_id: str


@dataclass(frozen=True, slots=True)
class ConfiguredAgent:
    """An agent as configured, and what it runs now."""

    key: AgentKey
    profile: AgentProfile
    deployed: ModelRef | None = None


@dataclass(frozen=True, slots=True)
class WindowClaim:
    """What a window took out of the unused feedback.

    `labelled` counts the answers labelled right or wrong, `success_rate` is the proportion of right
    ones among them; `completed_by` is the traceparent of the newest feedback
    event, if it had one.
    """

    feedback_count: int
    feedback_digest: str
    rated: int
    rating_sum: float
    labelled: int
    success_rate: float | None
    completed_by: str | None


@dataclass(frozen=True, slots=True)
class Window:
    """The exact set of feedback that one job learns from as new."""

    window_id: UUID
    key: AgentKey
    sequence: int
    reason: TriggerReason
    claim: WindowClaim


class WindowOutcome(StrEnum):
    """What became of a window."""

    LEARNT = "learnt"
    IN_REVIEW = "in_review"
    RETURNED = "returned"
    UNLEARNT = "unlearnt"


@dataclass(frozen=True, slots=True)
class UnlearntFeedback:
    """Feedback that stays in a window that no version came of; the first ids of it."""

    count: int
    event_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainedVersion:
    """A version as far as it matters for what it holds.

    `holder` is the window or update that it was trained on; `parent` the version that it continues,
    or from the base model the one that was deployed then, whose memory it was trained on.
    """

    version: str
    parent: str | None
    holder: UUID | None
    is_from_base: bool
    is_closed_form: bool
    """Whether its training changed the sums alone, so that items can be subtracted again."""
    prepared_at: datetime
    """What was retracted before is not in its dataset, and left its sums."""
    is_withdrawal: bool = False


@dataclass(frozen=True, slots=True)
class WithdrawnItem:
    """Retracted feedback that a window or an update has had; `tries` counts withdrawal jobs."""

    event_id: UUID
    withdrawn_at: datetime
    holders: frozenset[UUID]
    tries: int = 0


def derive_window_id(key: AgentKey, sequence: int) -> UUID:
    """The same window has the same id, whoever claims it."""
    return derived_id("window", key.tenant_id, key.agent_id, sequence)


def derive_job_id(window_id: UUID) -> UUID:
    """The job that a policy's window starts."""
    return derived_id("job", window_id)


class WindowFacts(ValueObject):
    """What a job knows of its window."""

    window_id: UUID
    reason: TriggerReason
    feedback_count: int
    feedback_digest: str
    fast_path: bool = False
    """Whether it is an update of the fast path: its feedback stays unused."""


class WithdrawalFacts(ValueObject):
    """What a job knows of the retracted feedback that its version must not hold."""

    items: int
    subtracted: bool
    """Whether a closed form subtracts them; otherwise a training from the base model leaves
    them out."""


class DatasetFacts(ValueObject):
    """The dataset version that a job trains on."""

    dataset_id: UUID
    version: int
    artifact: ArtifactRef
    training_items: int
    left_out: int | None = None
    """New items that are not in it: not trusted, contradicting, unusable, in the suite, or waiting
    for their answer. None: not known, the job is older than this field."""


class CandidateFacts(ValueObject):
    """What the training gave."""

    artifact: ArtifactRef
    steps: int
    metrics: dict[str, float] = Field(default_factory=dict)
    library_versions: dict[str, str] = Field(default_factory=dict)
    seconds: float | None = None
    """Of the whole training. None: the job is older than this field."""
    closed_form: ClosedFormModel | None = None
    """What the same training fitted beside a fine-tuned model; evaluated on the same items."""


class EvaluationFacts(ValueObject):
    """What the gate saw."""

    evaluation_id: UUID
    accuracy: dict[str, Estimate] = Field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    review_reasons: tuple[str, ...] = ()
    """Why a person decides on the deployment; empty: nobody needs to."""
    compared_with: str | None = None
    artifact: ArtifactRef | None = None
    """Predictions of all models, and what the candidate changed."""


class EscalationStep(ValueObject):
    """A strategy whose candidate was refused for forgetting, and why; a stronger one followed."""

    strategy: RetentionStrategy
    evaluation_id: UUID
    dataset_id: UUID | None = None
    replay_ratio: float
    attempt: int
    reason: str


class ReplacedCandidate(ValueObject):
    """A fine-tuned model that the gate refused; its training's closed form took its place."""

    evaluation_id: UUID
    artifact: ArtifactRef
    closed_form: ArtifactRef
    reason: str


class JobFacts(ValueObject):
    """What the stages found out, kept with the job as one document."""

    sources: tuple[DataSource, ...] = ()
    provided_dataset: ArtifactRef | None = None
    awaited_feedback: tuple[UUID, ...] = ()
    """Feedback that must be stored before the job begins; empty once it has begun."""
    feedback_wait_until: datetime | None = None
    """When that wait ends; None: it has not begun, since the agent is busy or unknown."""
    new_items: int = 0
    rated_items: int = 0
    waiting: dict[str, int] = Field(default_factory=dict)
    """Answers that the agent does not have, and how many corrections wait for each."""
    success_rate: float | None = None
    warm_start: ModelRef | None = None
    source_agent: str | None = None
    """The agent whose version a transfer starts from; None: its base model."""
    source_version: str | None = None
    source: ModelRef | None = None
    window: WindowFacts | None = None
    withdrawal: WithdrawalFacts | None = None
    plan: CurriculumPlan | None = None
    dataset: DatasetFacts | None = None
    first_step_at: datetime | None = None
    candidate: CandidateFacts | None = None
    evaluation: EvaluationFacts | None = None
    learning: LearningReport | None = None
    model: ModelRef | None = None
    experiment_id: UUID | None = None
    """Comparison of its version with the deployed one in production; the job waits for its end."""
    retention: RetentionStrategy = RetentionStrategy.STANDARD
    escalations: tuple[EscalationStep, ...] = ()
    replaced: tuple[ReplacedCandidate, ...] = ()
    """One at most of each strategy."""
    reevaluations: int = 0
    evaluation_attempts: int = 0


@dataclass(frozen=True, slots=True)
class JobTrace:
    """Where the job's spans hang: its own below `parent_span_id`, the stages' below the job's."""

    trace_id: str
    parent_span_id: str | None
    job_span_id: str
    stage_span_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One request to improve an agent."""

    job_id: UUID
    key: AgentKey
    state: JobState
    method: TrainingMethod
    config: TrainingConfig
    trace: JobTrace
    created_at: datetime
    state_since: datetime
    version: int = 1
    attempt: int = 0
    dispatches: int = 0
    priority: int = 0
    requested_by: str | None = None
    facts: JobFacts = field(default_factory=JobFacts)
    deadline_at: datetime | None = None

    @property
    def review_reasons(self) -> tuple[str, ...]:
        """Why its version is not deployed by itself."""
        return self.facts.evaluation.review_reasons if self.facts.evaluation else ()

    @property
    def replaced_candidate(self) -> ReplacedCandidate | None:
        """The fine-tuned model whose place the present candidate took."""
        candidate, replaced = self.facts.candidate, self.facts.replaced
        if candidate is None or not replaced or replaced[-1].closed_form != candidate.artifact:
            return None
        return replaced[-1]

    @property
    def is_update(self) -> bool:
        """Whether it is an update of the fast path, which adds corrections or subtracts items."""
        withdrawal = self.facts.withdrawal
        if withdrawal is not None:
            return withdrawal.subtracted
        return self.facts.window is not None and self.facts.window.fast_path

    @property
    def is_withdrawal(self) -> bool:
        """Whether it makes a version without feedback that was retracted."""
        return self.facts.withdrawal is not None

    @property
    def is_refused_update(self) -> bool:
        """Whether it is an update or a withdrawal that trained, and whose version is not deployed.

        One that data preparation kept out does not count: whoever sends nonsense would delay the
        others' corrections.
        """
        waits = self.is_update or self.is_withdrawal
        return waits and self.attempt > 0 and self._gave_no_version

    @property
    def was_unsuccessful(self) -> bool:
        """Whether it was a retrain by itself that trained, and deployed no version.

        While versions wait for a review, the next retrain backs off as after a rejection.
        """
        asked_for = self.facts.window is None or self.facts.window.reason is TriggerReason.MANUAL
        return self._gave_no_version and self.attempt > 0 and not asked_for and not self.is_update

    @property
    def _gave_no_version(self) -> bool:
        awaits_review = self.state is JobState.COMPLETED and bool(self.review_reasons)
        return self.state in (JobState.REJECTED, JobState.FAILED) or awaits_review

    def prepared(self, config: TrainingConfig, facts: JobFacts, priority: int) -> Job:
        """The job as its agent's profile completes it."""
        return replace(self, config=config, facts=facts, priority=priority)


@dataclass(frozen=True, slots=True)
class JobTransition:
    """One row of a job's history."""

    to_state: JobState
    occurred_at: datetime


def stage_seconds(history: list[JobTransition]) -> dict[str, float]:
    """Seconds spent in each state; a state that was entered again counts every stay."""
    seconds: dict[str, float] = {}
    for entered, left in pairwise(history):
        stay = (left.occurred_at - entered.occurred_at).total_seconds()
        seconds[entered.to_state] = seconds.get(entered.to_state, 0.0) + stay
    return seconds


def merge_config(profile: TrainingConfig, asked: TrainingConfig) -> TrainingConfig:
    """The agent's hyper-parameters, replaced by those that the job's request names."""
    named = asked.model_dump(exclude_unset=True, exclude_none=True)
    return profile.model_copy(update=named)
