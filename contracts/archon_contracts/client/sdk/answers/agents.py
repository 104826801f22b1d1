"""Answers about agents.

Written by `python -m tests.reference` from the OpenAPI document; do not edit.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from archon_contracts.client.sdk.answers.base import ApiAnswer
from archon_contracts.client.sdk.answers.policies import AgentProfileInfo


class DeployedVersionInfo(ApiAnswer):
    """The model version that an agent uses."""

    version: str
    digest: str
    uri: str
    deployed_at: datetime | None = None


class FeedbackTotalsInfo(ApiAnswer):
    """Stored feedback of an agent; an event that was sent again counts once."""

    feedback: int | None = None
    corrected: int | None = None
    rated: int | None = None
    mean_rating: float | None = None
    interactions: int | None = None
    last_hour: datetime | None = Field(default=None, description="Start of the newest hour.")


class ParkedInfo(ApiAnswer):
    """Why no retrain of an agent begins by itself, and what ends that."""

    reason: str
    since: datetime
    until: datetime
    lift: str | None = None


class SuiteMisfitInfo(ApiAnswer):
    """What items of an evaluation dataset ask for though it is no answer of the agent."""

    target: str
    items: int
    ids: list[str] = Field(description="Ids of these items, the first 20.")


class AgentInfo(ApiAnswer):
    """An agent with its deployed version and open job."""

    agent_id: str
    kind: str
    base_model: str
    profile: AgentProfileInfo
    evaluation_dataset: str | None = None
    deployed_version: str | None = None
    deployed: DeployedVersionInfo | None = None
    open_job: UUID | None = None
    feedback_totals: FeedbackTotalsInfo | None = None
    unused_feedback: int | None = Field(
        default=None,
        description="Feedback in no window yet, which the trigger counts; absent: none was stored.",
    )
    parked: ParkedInfo | None = Field(
        default=None, description="Present: its trigger could not be evaluated."
    )
    configured_at: datetime | None = Field(default=None, description="Absent: not confirmed yet.")
    unscored_targets: list[SuiteMisfitInfo] | None = Field(
        default=None,
        description="Only in the answer to a configuration: what items of the evaluation dataset "
        "ask for that the agent cannot answer. They are not scored until it can. At most 20.",
    )


class EstimateInfo(ApiAnswer):
    """A measured proportion, mean or median with its 95 % interval; `n` items are behind it."""

    value: float
    low: float
    high: float
    n: int


class SkillProgressInfo(ApiAnswer):
    """What an agent can do of one skill, by its newest evaluation."""

    skill: str
    task_type: str
    level: int
    success_rate: EstimateInfo = Field(description="With its 95 % credible interval.")
    previous_rate: float | None = Field(
        default=None, description="In the evaluation before; absent: none."
    )
    best_rate: float = Field(description="The highest of any evaluation.")
    is_mastered: bool


class TaskCoverageInfo(ApiAnswer):
    """A task type of the curriculum, and how many evaluation items ask it."""

    level: int
    task_type: str
    description: str
    items: int
    correct: int


class NextTaskInfo(ApiAnswer):
    """A skill that should be practised next, and how much of the practice it should have."""

    skill: str
    proportion: float
    reason: str


class LevelChangeInfo(ApiAnswer):
    """The newest change of an agent's level."""

    from_level: int
    to_level: int
    success_rate: float
    reason: str | None = Field(
        default=None, description="The evidence, and the limit that it passed."
    )
    changed_at: datetime


class CurriculumStageInfo(ApiAnswer):
    """One part of the training: items up to a difficulty, for a proportion of the steps."""

    name: str
    maximum_difficulty: float
    step_proportion: float


class CurriculumPlanInfo(ApiAnswer):
    """The stages of one training, easiest first."""

    level: int
    stages: list[CurriculumStageInfo]
    replay_ratio: float = Field(description="Replayed items per new item.")
    rationale: str | None = None


class CurriculumInfo(ApiAnswer):
    """An agent's level and skills, the evidence on them, and what is planned."""

    agent_id: str
    level: int | None = Field(
        default=None, description="1 basic, 2 intermediate, 3 advanced, 4 expert."
    )
    reason: str = Field(description="Why it is on this level, and what would change it.")
    measured_at: datetime | None = Field(default=None, description="Absent: nothing was measured.")
    feedback_rate: EstimateInfo | None = Field(
        default=None, description="Of rated answers on this level; absent: none were rated."
    )
    skills: list[SkillProgressInfo] | None = Field(
        default=None, description="By the newest evaluation of each."
    )
    coverage: list[TaskCoverageInfo] | None = Field(
        default=None, description="Every task type, level by level."
    )
    next_tasks: list[NextTaskInfo] | None = Field(
        default=None, description="What to practise next, most needed first."
    )
    last_change: LevelChangeInfo | None = None
    plan: CurriculumPlanInfo | None = Field(default=None, description="Of the newest planned job.")
    planned_for: UUID | None = Field(default=None, description="That job.")
    planned_at: datetime | None = None


class HistoryHourInfo(ApiAnswer):
    """Feedback of one hour."""

    hour: datetime
    answers: int = Field(description="Answers with feedback.")
    wrong: int = Field(description="Corrected ones, or what the ratings say if that is more.")


class FeedbackHistoryInfo(ApiAnswer):
    """What a back-test of trigger policies replays."""

    hours: list[HistoryHourInfo] = Field(description="Hours with feedback, oldest first.")
    deployed_at: list[datetime] = Field(description="When versions were deployed.")
    training_seconds: float | None = Field(
        default=None, description="Median of the newest trainings [s]; absent: none has ended."
    )
