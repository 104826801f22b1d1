"""Commands to the registry."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from pydantic import Field, JsonValue

from archon_contracts import topics
from archon_contracts.base import Contract, Name
from archon_contracts.rules.numbers import Count, PositiveCount
from archon_contracts.topics import Topic
from archon_contracts.values import (
    AgentKind,
    AllowedAnswers,
    ArtifactRef,
    Estimate,
)


class RegisterModel(Contract):
    """Give a trained model a version."""

    topic: ClassVar[Topic] = topics.REGISTRY_COMMANDS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    job_id: UUID
    kind: AgentKind
    artifact: ArtifactRef
    parent_version: str | None = None
    dataset_id: UUID
    dataset: ArtifactRef
    evaluation_id: UUID | None = None
    metrics: dict[str, Estimate] = Field(default_factory=dict)
    lineage: dict[str, JsonValue] = Field(
        default_factory=dict, description="Config, seed, window, feedback digest, revision."
    )


class DeployModel(Contract):
    """Deploy a registered version."""

    topic: ClassVar[Topic] = topics.REGISTRY_COMMANDS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    model_version: str
    reason: str
    job_id: UUID | None = None
    compared_with: str | None = Field(
        default=None,
        description="Version that the gate compared with, absent: none was deployed. A job's "
        "command is refused when another version is deployed by then.",
    )
    requested_by: str = Field(default="", description="Who wants it; empty: not said.")
    at_once: bool = Field(
        default=False,
        description="Of a job: deploy it whatever the agent's rollout mode is, as an update of the "
        "fast path or a withdrawal.",
    )


class RollBackModel(Contract):
    """Deploy an earlier version again."""

    topic: ClassVar[Topic] = topics.REGISTRY_COMMANDS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    to_version: str | None = Field(default=None, description="Absent: the one before.")
    from_version: str | None = Field(
        default=None,
        description="Version that must be deployed, else nothing is done; absent: any.",
    )
    reason: str
    requested_by: str = Field(default="", description="Who wants it; empty: not said.")


class LimitAnswers(Contract):
    """Let the agent give no other answers than these, whichever version is deployed."""

    topic: ClassVar[Topic] = topics.REGISTRY_COMMANDS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    allowed_answers: AllowedAnswers
    reason: str
    requested_by: str = Field(default="", description="Who wants it; empty: not said.")


class ArchiveModel(Contract):
    """Keep a version for the record only: it can no longer be deployed."""

    topic: ClassVar[Topic] = topics.REGISTRY_COMMANDS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    model_version: str
    reason: str
    requested_by: str = Field(default="", description="Who wants it; empty: not said.")


class ProtectModel(Contract):
    """Keep retention from archiving a version, or allow it again."""

    topic: ClassVar[Topic] = topics.REGISTRY_COMMANDS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    model_version: str
    protected: bool = Field(default=True, description="False: it is protected no more.")
    reason: str
    requested_by: str = Field(default="", description="Who wants it; empty: not said.")


class RetainModels(Contract):
    """Archive an agent's old versions, but for those that are protected."""

    topic: ClassVar[Topic] = topics.REGISTRY_COMMANDS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    keep_newest: PositiveCount = Field(description="Newest versions that stay.")
    deployed_within_days: Count = Field(
        default=90, description="Versions that were deployed in so many days stay [d]."
    )
    reason: str
    requested_by: str = Field(default="", description="Who wants it; empty: not said.")
