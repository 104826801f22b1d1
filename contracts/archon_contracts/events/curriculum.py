"""Curriculum plans and levels."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from archon_contracts import topics
from archon_contracts.base import Contract, Name, ValueObject
from archon_contracts.rules.numbers import Proportion
from archon_contracts.rules.task_types import TaskType
from archon_contracts.topics import Topic
from archon_contracts.values import Estimate


class CurriculumStage(ValueObject):
    """One part of the training: items up to a difficulty, for a proportion of the steps."""

    name: str
    maximum_difficulty: Proportion
    step_proportion: Proportion


class CurriculumPlan(ValueObject):
    """The stages of one training, easiest first."""

    level: int = Field(ge=1, le=4)
    stages: tuple[CurriculumStage, ...] = Field(min_length=1)
    replay_ratio: Proportion = Field(description="Replayed items per new item.")
    rationale: str = ""


class CurriculumPlanned(Contract):
    """The plan of a job's training."""

    topic: ClassVar[Topic] = topics.CURRICULUM
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    job_id: UUID
    plan: CurriculumPlan


class LevelAdvanced(Contract):
    """The agent moved to a higher level."""

    topic: ClassVar[Topic] = topics.CURRICULUM
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    from_level: int = Field(ge=1, le=4)
    to_level: int = Field(ge=1, le=4)
    success_rate: Proportion
    reason: str = Field(default="", description="The evidence, and the limit that it passed.")


class LevelRegressed(Contract):
    """The agent moved to a lower level."""

    topic: ClassVar[Topic] = topics.CURRICULUM
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    from_level: int = Field(ge=1, le=4)
    to_level: int = Field(ge=1, le=4)
    success_rate: Proportion
    reason: str = Field(default="", description="The evidence, and the limit that it passed.")


class SkillProgress(ValueObject):
    """What an agent can do of one skill, by its newest evaluation."""

    skill: str
    task_type: TaskType
    level: int = Field(ge=1, le=4)
    success_rate: Estimate = Field(description="With its 95 % credible interval.")
    previous_rate: Proportion | None = Field(
        default=None, description="In the evaluation before; absent: none."
    )
    best_rate: Proportion = Field(description="The highest of any evaluation.")
    is_mastered: bool


class NextTask(ValueObject):
    """A skill that should be practised next, and how much of the practice it should have."""

    skill: str
    proportion: Proportion
    reason: str


class TaskCoverage(ValueObject):
    """A task type of the curriculum, and how many evaluation items ask it."""

    level: int = Field(ge=1, le=4)
    task_type: TaskType
    description: str
    items: int = Field(ge=0)
    correct: int = Field(ge=0)


class CurriculumMeasured(Contract):
    """New evidence on an agent's level and skills."""

    topic: ClassVar[Topic] = topics.CURRICULUM
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    level: int = Field(ge=1, le=4)
    feedback_rate: Estimate | None = Field(
        default=None, description="Of rated answers on this level; absent: none were rated."
    )
    skills: tuple[SkillProgress, ...] = Field(default=(), max_length=100)
    coverage: tuple[TaskCoverage, ...] = Field(
        default=(), description="Every task type, level by level."
    )
    next_tasks: tuple[NextTask, ...] = Field(default=(), max_length=100)
    reason: str = Field(description="Why the level is what it is, and what would change it.")
