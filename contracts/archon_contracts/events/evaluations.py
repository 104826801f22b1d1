"""Events of evaluations."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from archon_contracts import topics
from archon_contracts.base import Contract, Name, ValueObject
from archon_contracts.topics import Topic
from archon_contracts.values import ArtifactRef, Estimate, MetricResult


class RejectionKind(StrEnum):
    """What a candidate was refused for. Readers take any text: a later release may know more."""

    NO_GAIN = "no_gain"
    DRIFT = "drift"  # the mix of its answers moved further than allowed
    FORGETTING = "forgetting"  # a loss beyond the margin on what the deployed version could do
    # Fine-tuned, and not better than the closed form of the same training beyond noise.
    NOT_ABOVE_CLOSED_FORM = "not_above_closed_form"
    # Not better than what the nearest training items say, without any training.
    NOT_ABOVE_NEIGHBOURS = "not_above_neighbours"
    REQUIREMENT = "requirement"  # a metric that the policy names did not do what it asks


class PairedComparison(ValueObject):
    """Candidate and deployed version on the same items."""

    difference: Estimate = Field(
        description="Accuracy of the candidate minus that of the deployed version."
    )
    p_value: float = Field(ge=0, le=1, description="Exact McNemar test, two-sided.")
    candidate_only: int = Field(ge=0, description="Items that only the candidate got right.")
    deployed_only: int = Field(ge=0, description="Items that only the deployed version got right.")


class UnscoredTarget(ValueObject):
    """A right answer of evaluation items that the agent cannot give."""

    target: str
    items: int = Field(ge=1, description="Items that ask for it.")
    ids: tuple[str, ...] = Field(description="Their ids, the first 20.")


class EvaluationArm(ValueObject):
    """One of the models that answered an evaluation's items, and what it costs."""

    model: str = Field(
        description="candidate, deployed, closed_form, nearest_neighbours (the answers of the most "
        "similar training items, without training), or baseline: the base model."
    )
    accuracy: Estimate
    difference: Estimate | None = Field(
        default=None,
        description="Accuracy of the candidate minus this model's; absent: it is the candidate.",
    )
    p_value: float | None = Field(
        default=None, ge=0, le=1, description="Exact McNemar test of the difference, two-sided."
    )
    training_seconds: float | None = Field(
        default=None, ge=0, description="Absent: the run did not train it."
    )
    answer_seconds: float | None = Field(
        default=None, ge=0, description="Median time of one answer; absent: not measured."
    )


class SkillResult(ValueObject):
    """How many items of one skill a model answered right."""

    model: str = Field(description="candidate, or deployed.")
    skill: str = Field(description="As its items state it; else the task type of the rules.")
    task_type: str = Field(description="What the rules find for most of its items.")
    items: int = Field(ge=1)
    correct: int = Field(ge=0)


class EvaluationCompleted(Contract):
    """All models of an evaluation are scored and the gate has decided."""

    topic: ClassVar[Topic] = topics.EVALUATIONS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    job_id: UUID
    evaluation_id: UUID
    passed: bool
    reasons: tuple[str, ...] = Field(description="Why the gate decided so.")
    rejection_kinds: tuple[str, ...] = Field(
        default=(),
        description="What it was refused for: no_gain, drift, forgetting, not_above_closed_form, "
        "not_above_neighbours, requirement; empty: it passed.",
    )
    review_reasons: tuple[str, ...] = Field(
        default=(),
        description="Why a version that passed waits for a person; empty: it needs no review.",
    )
    results: tuple[MetricResult, ...] = Field(
        default=(), description="Every metric of every model, per group."
    )
    accuracy: dict[str, dict[str, Estimate]] = Field(
        description="Model (candidate, deployed, closed_form, baseline, majority) -> group (all or "
        "an item's) -> accuracy."
    )
    accuracy_at_5: dict[str, dict[str, Estimate]] = Field(default_factory=dict)
    arms: tuple[EvaluationArm, ...] = Field(
        default=(),
        description="Candidate, deployed version, closed form and base model on the same items, as "
        "far as there are such.",
    )
    skills: tuple[SkillResult, ...] = Field(
        default=(), description="Per skill, the 100 with most items."
    )
    comparison: dict[str, PairedComparison] = Field(
        default_factory=dict, description="Per group; absent when nothing is deployed."
    )
    latency_seconds: dict[str, float] = Field(
        default_factory=dict, description="Median per item, per model."
    )
    changed_answers: int | None = Field(
        default=None,
        ge=0,
        description="Items that the candidate answers otherwise than what it was compared with; "
        "absent: not counted.",
    )
    answered_items: int | None = Field(default=None, ge=0, description="Items that both answered.")
    unscored_items: int | None = Field(
        default=None,
        ge=0,
        description="Items that ask for what is no answer of the agent; absent: not counted.",
    )
    unscored_targets: tuple[UnscoredTarget, ...] = Field(
        default=(), description="What they ask for, the 20 most frequent targets."
    )
    compared_with: str | None = Field(
        default=None, description="Deployed version that it was compared with; absent: none."
    )
    predictions: ArtifactRef | None = Field(
        default=None,
        description="Folder with one file of predictions per model, and changes.json: what the "
        "candidate changed, topic by topic and answer by answer.",
    )
    duration_seconds: float = Field(ge=0)


class EvaluationFailed(Contract):
    """The evaluation could not be done."""

    topic: ClassVar[Topic] = topics.EVALUATIONS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    job_id: UUID
    error_type: str
    reason: str
    retryable: bool


class RegressionDetected(Contract):
    """A metric of the deployed version got worse than that of the version before."""

    topic: ClassVar[Topic] = topics.EVALUATIONS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    model_version: str
    metric: str = Field(
        description="outcome (mean of scored answers, 0 to 1), error_rate or slow_rate (proportion "
        "of answers)."
    )
    before: Estimate
    now: Estimate
    previous_version: str | None = Field(
        default=None, description="Version that it is compared with."
    )
    reason: str = Field(default="", description="What was seen, and what is done about it.")
