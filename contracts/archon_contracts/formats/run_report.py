"""The report of a run: what its candidate changed, how it was made, and why the gate decided so.

`EvaluationChanges` is a file of the evaluation's artifact and never changes. `RunReport` adds what
is kept elsewhere, or known later: learning curves, data, time, and what became of the job.
Neither holds a text of an item: examples are named by their ids, and the answers of a generator,
which are texts themselves, are left out.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from archon_contracts.base import ValueObject
from archon_contracts.commands.evaluation import RunSummary
from archon_contracts.events.datasets import QualityReport
from archon_contracts.events.jobs import JobState, LearningReport
from archon_contracts.values import AgentKind, Estimate


class TopicKind(StrEnum):
    """What the items of a row have in common."""

    ALL = "all"
    GROUP = "group"
    TARGET = "target"  # the right answer; only where items have no groups
    REFERENCE = "reference"  # the protected reference items


class TopicDecision(StrEnum):
    """What the gate makes of a row."""

    GAIN = "gain"  # significant, among all groups together
    NO_CHANGE = "no_change"  # neither a significant gain nor a loss that matters
    LOSS_WITHIN_LIMIT = "loss_within_limit"  # significant, and the policy allows it
    LOSS_BEYOND_LIMIT = "loss_beyond_limit"  # refused
    UNDECIDED = "undecided"  # a loss beyond the limit that may be chance
    NEEDS_REVIEW = "needs_review"  # left to a person
    TOO_FEW_ITEMS = "too_few_items"  # guarded together with all other small ones
    NOT_LIMITED = "not_limited"  # a loss against the base model, which served nobody


class TopicChange(ValueObject):
    """One row of the matrix: the same items answered before and after."""

    topic: str
    kind: TopicKind
    before: Estimate = Field(description="Accuracy of the control, 95 % interval.")
    candidate: Estimate = Field(description="Accuracy of the candidate, 95 % interval.")
    difference: Estimate = Field(description="Candidate minus control, interval of pairs.")
    p_value: float = Field(ge=0, le=1, description="Exact McNemar test, two-sided, not adjusted.")
    decision: TopicDecision
    detectable_loss: float | None = Field(
        default=None, description="Loss that these items would have shown in 80 % of the cases."
    )


class MoveEffect(StrEnum):
    """Whether another answer is a better one."""

    CORRECTED = "corrected"
    BROKEN = "broken"
    STILL_WRONG = "still_wrong"


class MovedAnswer(ValueObject):
    """Items with one right answer that moved from one answer to another."""

    target: str = Field(description="The right answer; empty for a generator.")
    before: str = Field(description="Answer of the control; empty for a generator.")
    after: str = Field(description="Answer of the candidate; empty for a generator.")
    effect: MoveEffect
    items: int = Field(ge=1)
    examples: tuple[str, ...] = Field(default=(), description="Ids of the first of them.")


class EvaluationChanges(ValueObject):
    """What an evaluation found, item by item, in a form that does not grow with the items."""

    format: int = 1
    kind: AgentKind
    control: str = Field(description="What the candidate is compared with: deployed or baseline.")
    topics: tuple[TopicChange, ...] = Field(description="All items first, then topic by topic.")
    topics_left_out: int = Field(default=0, ge=0, description="Rows that changed least.")
    moved: tuple[MovedAnswer, ...] = Field(
        default=(), description="Broken ones first, then the most frequent."
    )
    moved_left_out: int = Field(default=0, ge=0, description="Items of rarer moves.")
    corrected: int = Field(default=0, ge=0, description="Items that only the candidate has right.")
    broken: int = Field(default=0, ge=0, description="Items that only the control had right.")
    run: RunSummary | None = Field(default=None, description="How the candidate was made.")


class CandidateFigures(ValueObject):
    """One of the models that a run could have given, with what it scored and cost."""

    name: str
    chosen: bool
    score: float | None = Field(default=None, description="Accuracy; of what, `measured_on` says.")
    measured_on: str = ""
    seconds: float | None = Field(default=None, ge=0, description="Of its training.")
    answer_seconds: float | None = Field(default=None, ge=0, description="Median of one answer.")
    reason: str = Field(default="", description="Why it was taken or not.")


class CurvePoint(ValueObject):
    """A value at a step."""

    step: int = Field(ge=0)
    value: float


class LearningCurve(ValueObject):
    """One metric of one training attempt, by step."""

    metric: str
    attempt: int = Field(ge=1)
    points: tuple[CurvePoint, ...]


class RunReport(ValueObject):
    """What changed and why: everything that is known of the run behind a version."""

    format: int = 1
    agent_id: str
    job_id: UUID
    state: JobState
    version: str | None = Field(default=None, description="Absent: the run gave none.")
    compared_with: str | None = Field(default=None, description="Absent: nothing was deployed.")
    passed: bool | None = Field(default=None, description="The gate; absent: not evaluated.")
    reasons: tuple[str, ...] = Field(default=(), description="Why the gate decided so.")
    review_reasons: tuple[str, ...] = Field(default=(), description="Why a person decides.")
    outcome: str = Field(default="", description="What the job's last state says.")
    changes: EvaluationChanges | None = Field(
        default=None, description="Absent: not evaluated, or the evaluation is older than this."
    )
    candidates: tuple[CandidateFigures, ...] = ()
    curves: tuple[LearningCurve, ...] = ()
    learning: LearningReport | None = None
    trigger: str = Field(default="", description="What started the run.")
    feedback_count: int | None = Field(default=None, ge=0)
    items: dict[str, int] = Field(default_factory=dict, description="Items per split.")
    quality: QualityReport | None = Field(default=None, description="Absent: no dataset was made.")
    stage_seconds: dict[str, float] = Field(default_factory=dict)
    attempts: int = Field(default=0, ge=0, description="Training attempts.")
    feedback_digest: str | None = None
    dataset_digest: str | None = None
    evaluation_digest: str | None = Field(default=None, description="Of predictions and changes.")
    model_digest: str | None = None
    parent_version: str | None = None
    created_at: datetime
