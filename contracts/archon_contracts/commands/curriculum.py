"""Commands to the curriculum service."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from archon_contracts import topics
from archon_contracts.base import Contract, Name
from archon_contracts.rules.numbers import Proportion
from archon_contracts.topics import Topic
from archon_contracts.values import AgentKind, SkillDefinition, TrainingMethod


class PlanCurriculum(Contract):
    """Plan the stages of a job's training."""

    topic: ClassVar[Topic] = topics.CURRICULUM_COMMANDS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    job_id: UUID
    kind: AgentKind
    method: TrainingMethod
    new_items: int = Field(ge=0)
    success_rate: Proportion | None = Field(
        default=None, description="Proportion of rated answers that were right; absent: unknown."
    )
    rated_items: int = Field(
        default=0, ge=0, description="Rated answers, the denominator of the success rate."
    )
    replay_ratio: Proportion | None = Field(default=None, description="Requested by the job.")
    staged: bool = Field(default=False, description="Whether to train in stages, easiest first.")
    skills: tuple[SkillDefinition, ...] = Field(
        default=(), description="Skills of the agent's own policy."
    )
