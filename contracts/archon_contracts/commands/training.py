"""Commands to the trainer."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from archon_contracts import topics
from archon_contracts.base import Contract, Name
from archon_contracts.events.curriculum import CurriculumPlan
from archon_contracts.topics import Topic
from archon_contracts.values import (
    AgentKind,
    ArtifactRef,
    ModelRef,
    RetentionStrategy,
    TrainingConfig,
    TrainingMethod,
)


class TrainModel(Contract):
    """Do one attempt at a job's training."""

    topic: ClassVar[Topic] = topics.TRAINER_COMMANDS
    key_field: ClassVar[str] = "job_id"

    job_id: UUID
    agent_id: Name
    attempt: int = Field(ge=1, description="Fences: an older attempt's result is refused.")
    kind: AgentKind
    method: TrainingMethod
    base_model: str
    warm_start: ModelRef | None = Field(default=None, description="Deployed version to start from.")
    source: ModelRef | None = Field(
        default=None, description="Version of an agent that a transfer starts from."
    )
    dataset: ArtifactRef
    catalogue: ArtifactRef | None = None
    labels: tuple[str, ...] = ()
    plan: CurriculumPlan | None = None
    retention: RetentionStrategy = Field(
        default=RetentionStrategy.STANDARD,
        description="What a continual training does against forgetting.",
    )
    config: TrainingConfig = TrainingConfig()
    fast_path: bool = Field(
        default=False,
        description="Add the items to the warm start's closed form; takes no training slot.",
    )
    withdrawal: bool = Field(
        default=False,
        description="With `fast_path`: only subtract what the dataset lists as retracted.",
    )


class CancelTraining(Contract):
    """Stop an attempt."""

    topic: ClassVar[Topic] = topics.TRAINER_COMMANDS
    key_field: ClassVar[str] = "job_id"

    job_id: UUID
    agent_id: Name
    attempt: int = Field(ge=1)
    reason: str
