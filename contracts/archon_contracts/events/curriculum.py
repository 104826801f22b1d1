"""Curriculum plans and levels."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from archon_contracts import topics
from archon_contracts.base import Contract, Name, ValueObject
from archon_contracts.rules.numbers import Proportion
from archon_contracts.topics import Topic


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


class LevelRegressed(Contract):
    """The agent moved to a lower level."""

    topic: ClassVar[Topic] = topics.CURRICULUM
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    from_level: int = Field(ge=1, le=4)
    to_level: int = Field(ge=1, le=4)
    success_rate: Proportion
