"""Model versions: registered, deployed, rolled back, archived; experiments between them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field, JsonValue

from archon_contracts import topics
from archon_contracts.base import Contract, Name
from archon_contracts.rollouts.assignment import Assignment, assign_version
from archon_contracts.rollouts.experiment import ArmReport, Experiment
from archon_contracts.topics import Topic
from archon_contracts.values import AgentKind, AllowedAnswers, ArtifactRef, Estimate, ModelRef

Revision = Annotated[
    int, Field(ge=1, description="Numbers the changes of the agent's configuration, from 1.")
]
Actor = Annotated[str, Field(description="Who asked for it: a person's key, or a service.")]


class ModelRegistered(Contract):
    """A version exists and may be deployed."""

    topic: ClassVar[Topic] = topics.MODELS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    job_id: UUID
    model_id: UUID
    model: ModelRef
    parent_version: str | None = None
    dataset_id: UUID
    metrics: dict[str, Estimate] = Field(default_factory=dict)
    kind: AgentKind | None = None
    dataset: ArtifactRef | None = None
    evaluation_id: UUID | None = None
    lineage: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="What it was made from: method, configuration, seed, window, code revision, "
        "library versions; `RegisterModel.lineage`.",
    )
    registered_at: datetime | None = None


class ModelDeployed(Contract):
    """A version is deployed."""

    topic: ClassVar[Topic] = topics.MODELS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    model: ModelRef
    previous_version: str | None = None
    revision: Revision
    actor: Actor
    reason: str
    job_id: UUID | None = None
    deployed_at: datetime


class DeploymentRefused(Contract):
    """A job's version was compared with another version than the deployed one."""

    topic: ClassVar[Topic] = topics.MODELS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    job_id: UUID
    model: ModelRef
    compared_with: str | None = None
    deployed_version: str | None = None
    reason: str


class ModelRolledBack(Contract):
    """An earlier version is deployed again."""

    topic: ClassVar[Topic] = topics.MODELS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    model: ModelRef
    from_version: str
    revision: Revision
    actor: Actor
    reason: str
    rolled_back_at: datetime


class ModelArchived(Contract):
    """A version can no longer be deployed."""

    topic: ClassVar[Topic] = topics.MODELS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    version_archived: str
    reason: str
    actor: str = Field(default="", description="Who asked for it; empty: not known.")
    archived_at: datetime | None = None


class ModelProtected(Contract):
    """A version is protected from retention, or is so no more."""

    topic: ClassVar[Topic] = topics.MODELS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    model_version: str
    protected: bool
    reason: str
    actor: Actor


class ExperimentOutcome(StrEnum):
    """How an experiment ended. Readers take any text: a later release may know more."""

    PROMOTED = "promoted"  # the candidate is deployed
    KEPT = "kept"  # the deployed version stays
    CANCELLED = "cancelled"  # another version was deployed by hand meanwhile


class ExperimentStarted(Contract):
    """A candidate gets a proportion of the traffic."""

    topic: ClassVar[Topic] = topics.MODELS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    experiment_id: UUID
    control: ModelRef
    treatment: ModelRef
    treatment_proportion: float = Field(
        gt=0, lt=1, description="Of a shadow: the part of the traffic that it answers unseen."
    )
    mode: str = Field(default="ab_test", description="shadow, canary or ab_test.")
    job_id: UUID | None = Field(default=None, description="Job that made the candidate.")
    reason: str = ""


class ExperimentAdvanced(Contract):
    """A canary gets a larger proportion of the traffic."""

    topic: ClassVar[Topic] = topics.MODELS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    experiment_id: UUID
    treatment_proportion: float = Field(gt=0, lt=1)
    step: int = Field(ge=1, description="Number of the proportion, from 1.")
    reason: str


class ExperimentMeasured(Contract):
    """What an experiment shows so far. Sent as its answers grow, and before its end."""

    topic: ClassVar[Topic] = topics.MODELS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    experiment_id: UUID
    measured_at: datetime
    treatment_proportion: float = Field(gt=0, lt=1, description="The candidate's at this moment.")
    arms: tuple[ArmReport, ...] = Field(description="Deployed version and candidate, so ordered.")
    difference: Estimate | None = Field(
        default=None,
        description="Mean outcome of the candidate minus that of the deployed version, with the "
        "bounds of a confidence sequence, which hold at all looks together; absent: an arm has "
        "no scored answer.",
    )
    harm_log_e_value: float = Field(
        default=0.0, description="Natural logarithm of the evidence that the candidate is worse."
    )
    harm_log_limit: float = Field(
        default=0.0, description="With so much of it the experiment ends."
    )
    division_p_value: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Of the intended division of traffic, at all looks; absent: not checked.",
    )
    feedback_rate_p_value: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Of equal feedback rates, at this look alone. A small one says that other "
        "users rate the candidate than rate the deployed version.",
    )


class ExperimentConcluded(Contract):
    """An experiment has a result."""

    topic: ClassVar[Topic] = topics.MODELS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    experiment_id: UUID
    winner: str = Field(description="Version that is deployed after it.")
    difference: Estimate | None = Field(
        default=None,
        description="Mean outcome of the candidate minus that of the deployed version, corrected "
        "for having stopped on it; its bounds held at every look.",
    )
    reason: str
    outcome: str = Field(default="kept", description="promoted, kept or cancelled.")
    mode: str = Field(default="ab_test", description="shadow, canary or ab_test.")
    arms: tuple[ArmReport, ...] = Field(
        default=(), description="Deployed version and candidate, in this order."
    )
    job_id: UUID | None = Field(default=None, description="Job that made the candidate.")


class AgentConfiguration(Contract):
    """What an agent runs now. On a compacted topic: a late subscriber gets the present one."""

    topic: ClassVar[Topic] = topics.AGENT_CONFIGURATIONS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    kind: AgentKind
    model: ModelRef
    revision: int = Field(ge=1, description="Grows with every change; an older one is stale.")
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    allowed_answers: AllowedAnswers | None = Field(
        default=None,
        description="Answers that the profile names now; the model may know others, which must not "
        "be given any more. Absent: all that the model knows.",
    )
    experiment: Experiment | None = Field(
        default=None, description="Comparison of `model` with a candidate; absent: none runs."
    )
    reason: str
    effective_at: datetime

    def assign(self, *, unit_id: str | None = None, interaction_id: str = "") -> Assignment:
        """The version that answers; see `archon_contracts.rollouts.assignment`.

        Raises:
            ValueError: an experiment runs, and neither id is given.
        """
        return assign_version(
            self.model, self.experiment, unit_id=unit_id, interaction_id=interaction_id
        )
