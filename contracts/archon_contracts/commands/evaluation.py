"""Commands to the evaluator."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from archon_contracts import topics
from archon_contracts.base import Contract, Name, ValueObject
from archon_contracts.topics import Topic
from archon_contracts.values import (
    AgentKind,
    ArtifactRef,
    FastPathPolicy,
    GatePolicy,
    ModelRef,
    RetentionStrategy,
    TrainingMethod,
)


class RefusedAttempt(ValueObject):
    """A strategy of the same job whose candidate the gate refused before."""

    strategy: RetentionStrategy
    replay_ratio: float = Field(description="Replayed items per new item.")
    reason: str


class RunSummary(ValueObject):
    """How a candidate was made: kept beside what its evaluation finds, and decides nothing."""

    method: TrainingMethod
    strategy: RetentionStrategy = RetentionStrategy.STANDARD
    fast_path: bool = False
    parent_version: str | None = Field(default=None, description="Version it started from.")
    replay_ratio: float | None = Field(default=None, description="Replayed items per new item.")
    new_items: int = Field(default=0, ge=0, description="Items offered to the run as new.")
    training_items: int | None = Field(default=None, ge=0, description="Items of the train part.")
    left_out: int | None = Field(default=None, ge=0, description="New items that are not in it.")
    steps: int = Field(ge=0, description="Optimizer steps; a closed form counts as one.")
    training_seconds: float | None = Field(default=None, ge=0, description="Of the whole training.")
    metrics: dict[str, float] = Field(
        default_factory=dict, description="Figures of the training (`metric_names`)."
    )
    refused: tuple[RefusedAttempt, ...] = Field(
        default=(), description="Strategies that were tried before, oldest first."
    )
    replaced: str = Field(
        default="",
        description="Why the fine-tuned model of this training was refused, whose closed form the "
        "candidate is.",
    )


class EvaluateModel(Contract):
    """Compare a candidate with the deployed version on the same items."""

    topic: ClassVar[Topic] = topics.EVALUATOR_COMMANDS
    key_field: ClassVar[str] = "job_id"

    job_id: UUID
    agent_id: Name
    attempt: int = Field(
        ge=1, description="Which evaluation command of the job this is; a newer one replaces it."
    )
    kind: AgentKind
    candidate: ArtifactRef
    deployed: ModelRef | None = None
    base_model: str | None = Field(
        default=None,
        description="Scored too, as the baseline: the control when nothing is deployed.",
    )
    closed_form: ArtifactRef | None = Field(
        default=None,
        description="Closed form of the same training, which a fine-tuned candidate must beat; "
        "absent: the candidate is the closed form, or its kind has none.",
    )
    catalogue: ArtifactRef | None = None
    items: ArtifactRef = Field(description="Folder with items.jsonl or test.jsonl.")
    new_labels: ArtifactRef | None = Field(
        default=None,
        description="Dataset whose test and reference items are asked beside a suite, each label "
        "of theirs a group of its own: labels that the suite does not ask.",
    )
    trained_on: ArtifactRef | None = Field(
        default=None,
        description="Dataset of the candidate's training: a gain on the items whose answer its "
        "new items teach counts beside that of a group; absent, as for an update: not looked at.",
    )
    gate: GatePolicy = GatePolicy()
    update: ArtifactRef | None = Field(
        default=None,
        description="Dataset of a fast-path update: the candidate must answer its training items, "
        "and lose nothing that `fast_path` does not allow.",
    )
    fast_path: FastPathPolicy = FastPathPolicy()
    withdrawal: bool = Field(
        default=False,
        description="The candidate is without retracted feedback: no gain is asked of it, and a "
        "loss beyond the gate's limits is a person's to accept.",
    )
    minimum_reference_items: int = Field(
        default=0,
        ge=0,
        description="Protected reference items without which a passing version waits for a "
        "review; 0: the items are a suite or were provided by a person.",
    )
    run: RunSummary | None = Field(
        default=None, description="How the candidate was made, for the report; absent: not said."
    )
