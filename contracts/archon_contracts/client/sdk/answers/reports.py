"""Answers about reports.

Written by `python -m tests.reference` from the OpenAPI document; do not edit.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from archon_contracts.client.sdk.answers.agents import EstimateInfo
from archon_contracts.client.sdk.answers.base import ApiAnswer
from archon_contracts.client.sdk.answers.datasets import QualityReportInfo


class TopicChangeInfo(ApiAnswer):
    """One row of the matrix: the same items answered before and after."""

    topic: str
    kind: str
    before: EstimateInfo = Field(description="Accuracy of the control, 95 % interval.")
    candidate: EstimateInfo = Field(description="Accuracy of the candidate, 95 % interval.")
    difference: EstimateInfo = Field(description="Candidate minus control, interval of pairs.")
    p_value: float = Field(description="Exact McNemar test, two-sided, not adjusted.")
    decision: str
    detectable_loss: float | None = Field(
        default=None, description="Loss that these items would have shown in 80 % of the cases."
    )


class MovedAnswerInfo(ApiAnswer):
    """Items with one right answer that moved from one answer to another."""

    target: str = Field(description="The right answer; empty for a generator.")
    before: str = Field(description="Answer of the control; empty for a generator.")
    after: str = Field(description="Answer of the candidate; empty for a generator.")
    effect: str
    items: int
    examples: list[str] | None = Field(default=None, description="Ids of the first of them.")


class RefusedAttemptInfo(ApiAnswer):
    """A strategy of the same job whose candidate the gate refused before."""

    strategy: str
    replay_ratio: float = Field(description="Replayed items per new item.")
    reason: str


class RunSummaryInfo(ApiAnswer):
    """How a candidate was made: kept beside what its evaluation finds, and decides nothing."""

    method: str
    strategy: str | None = None
    fast_path: bool | None = None
    parent_version: str | None = Field(default=None, description="Version it started from.")
    replay_ratio: float | None = Field(default=None, description="Replayed items per new item.")
    new_items: int | None = Field(default=None, description="Items offered to the run as new.")
    training_items: int | None = Field(default=None, description="Items of the train part.")
    left_out: int | None = Field(default=None, description="New items that are not in it.")
    steps: int = Field(description="Optimizer steps; a closed form counts as one.")
    training_seconds: float | None = Field(default=None, description="Of the whole training.")
    metrics: dict[str, float] | None = Field(
        default=None, description="Figures of the training (`metric_names`)."
    )
    refused: list[RefusedAttemptInfo] | None = Field(
        default=None, description="Strategies that were tried before, oldest first."
    )
    replaced: str | None = Field(
        default=None,
        description="Why the fine-tuned model of this training was refused, whose closed form the "
        "candidate is.",
    )


class EvaluationChangesInfo(ApiAnswer):
    """What an evaluation found, item by item, in a form that does not grow with the items."""

    format: int | None = None
    kind: str
    control: str = Field(description="What the candidate is compared with: deployed or baseline.")
    topics: list[TopicChangeInfo] = Field(description="All items first, then topic by topic.")
    topics_left_out: int | None = Field(default=None, description="Rows that changed least.")
    moved: list[MovedAnswerInfo] | None = Field(
        default=None, description="Broken ones first, then the most frequent."
    )
    moved_left_out: int | None = Field(default=None, description="Items of rarer moves.")
    corrected: int | None = Field(
        default=None, description="Items that only the candidate has right."
    )
    broken: int | None = Field(default=None, description="Items that only the control had right.")
    run: RunSummaryInfo | None = Field(default=None, description="How the candidate was made.")


class CandidateFiguresInfo(ApiAnswer):
    """One of the models that a run could have given, with what it scored and cost."""

    name: str
    chosen: bool
    score: float | None = Field(default=None, description="Accuracy; of what, `measured_on` says.")
    measured_on: str | None = None
    seconds: float | None = Field(default=None, description="Of its training.")
    answer_seconds: float | None = Field(default=None, description="Median of one answer.")
    reason: str | None = Field(default=None, description="Why it was taken or not.")


class CurvePointInfo(ApiAnswer):
    """A value at a step."""

    step: int
    value: float


class LearningCurveInfo(ApiAnswer):
    """One metric of one training attempt, by step."""

    metric: str
    attempt: int
    points: list[CurvePointInfo]


class LearningReportInfo(ApiAnswer):
    """Whether a run learnt anything, by its own signals: whatever the gate says of the result."""

    learnt: bool
    reasons: list[str] | None = Field(default=None, description="The signals, one sentence each.")
    loss_before: float | None = None
    loss_after: float | None = None
    weights_moved: bool | None = None
    changed_answers: int | None = Field(
        default=None, description="Answers that differ from those of the version before."
    )
    answered_items: int | None = None
    right_gained: int | None = Field(
        default=None, description="Right answers more than the version before; negative: fewer."
    )


class RunReportInfo(ApiAnswer):
    """What changed and why: everything that is known of the run behind a version."""

    format: int | None = None
    agent_id: str
    job_id: UUID
    state: str
    version: str | None = Field(default=None, description="Absent: the run gave none.")
    compared_with: str | None = Field(default=None, description="Absent: nothing was deployed.")
    passed: bool | None = Field(default=None, description="The gate; absent: not evaluated.")
    reasons: list[str] | None = Field(default=None, description="Why the gate decided so.")
    review_reasons: list[str] | None = Field(default=None, description="Why a person decides.")
    outcome: str | None = Field(default=None, description="What the job's last state says.")
    changes: EvaluationChangesInfo | None = Field(
        default=None, description="Absent: not evaluated, or the evaluation is older than this."
    )
    candidates: list[CandidateFiguresInfo] | None = None
    curves: list[LearningCurveInfo] | None = None
    learning: LearningReportInfo | None = None
    trigger: str | None = Field(default=None, description="What started the run.")
    feedback_count: int | None = None
    items: dict[str, int] | None = Field(default=None, description="Items per split.")
    quality: QualityReportInfo | None = Field(
        default=None, description="Absent: no dataset was made."
    )
    stage_seconds: dict[str, float] | None = None
    attempts: int | None = Field(default=None, description="Training attempts.")
    feedback_digest: str | None = None
    dataset_digest: str | None = None
    evaluation_digest: str | None = Field(default=None, description="Of predictions and changes.")
    model_digest: str | None = None
    parent_version: str | None = None
    created_at: datetime
