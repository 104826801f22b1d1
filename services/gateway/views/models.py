"""What the API returns of model versions and their deployments."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import Field, JsonValue, model_validator

from archon_contracts.values import AgentKind, ArtifactRef
from services.gateway.views.base import View

NAMED_FACTS: Final = {
    "method": "method",
    "base_model": "base_model",
    "config": "config",
    "seed": "seed",
    "code_revision": "revision",
    "environment": "library_versions",
    "trigger": "trigger",
    "window_id": "window_id",
    "feedback_count": "feedback_count",
    "feedback_digest": "feedback_digest",
    "requested_by": "requested_by",
}
"""Fields of `Lineage` by their name in `ModelRegistered.lineage`."""


class Lineage(View):
    """Origin of a model version: all that is needed to explain it and to train it again."""

    job_id: UUID | None = None
    dataset_id: UUID | None = None
    dataset: ArtifactRef | None = Field(
        default=None, description="Its items, and the ids of the feedback that they are made of."
    )
    feedback_digest: str | None = None
    feedback_count: int | None = Field(default=None, description="Events of the window.")
    parent_version: str | None = Field(
        default=None, description="The version that the training went on from."
    )
    method: str | None = None
    base_model: str | None = None
    config: dict[str, JsonValue] = Field(
        default_factory=dict, description="Hyper-parameters that the request or the profile names."
    )
    seed: int | None = None
    code_revision: str | None = None
    environment: dict[str, JsonValue] = Field(
        default_factory=dict, description="Versions of the libraries that trained it."
    )
    trigger: str | None = None
    window_id: str | None = None
    requested_by: str | None = None
    facts: dict[str, JsonValue] = Field(
        default_factory=dict, description="All that its registration says, these fields too."
    )

    @model_validator(mode="before")
    @classmethod
    def _name_facts(cls, row: Any) -> Any:
        """Fill the fields from the facts of the registration; what the row says itself stays."""
        if not isinstance(row, Mapping):
            return row
        facts = row.get("facts") or {}
        named = {field: facts[name] for field, name in NAMED_FACTS.items() if name in facts}
        return named | {name: value for name, value in row.items() if value is not None}


class ModelView(View):
    """A model version."""

    agent_id: str
    version: str = Field(
        description="Semantic version; of a candidate in training the pre-release of the next one."
    )
    status: str = Field(description="training, ready, deployed or archived.")
    digest: str = Field(description="sha256 of the manifest; empty: it is still in training.")
    uri: str
    metrics: dict[str, Any]
    lineage: Lineage
    kind: AgentKind | None = None
    model_id: UUID | None = None
    reason: str = Field(default="", description="Why it was deployed or archived last.")
    registered_at: datetime | None = Field(default=None, description="When its training was over.")
    deployed_at: datetime | None = None
    archived_at: datetime | None = None
    protected_reason: str | None = Field(
        default=None, description="Why retention must not archive it; absent: it may."
    )
    evaluation: dict[str, Any] | None = None
    withdrawn_items: int = Field(
        default=0, description="Items of retracted feedback that it may hold; at most so many."
    )


class DeploymentView(View):
    """A change of the deployed version of an agent."""

    revision: int = Field(description="Numbers the changes of the agent's configuration.")
    version: str
    previous_version: str | None = None
    digest: str
    action: Literal["deploy", "rollback"]
    actor: str = Field(description="Who asked for it: a person's key, or a service.")
    reason: str
    job_id: UUID | None = None
    at: datetime


class Ancestor(View):
    """One of the versions that a version goes back to, itself first."""

    version: str
    parent_version: str | None = None
    status: str
    digest: str
    job_id: UUID | None = None
    dataset_id: UUID | None = None
    seed: int | None = None
    code_revision: str | None = None
    registered_at: datetime | None = None


class LineageView(View):
    """Where a version comes from, back to the base model."""

    agent_id: str
    version: str
    lineage: Lineage
    ancestors: list[Ancestor] = Field(description="The version itself first; 100 at most.")
    feedback_ids: list[str] | None = Field(
        default=None,
        description="Feedback events behind the items that this version learnt, sorted; absent: "
        "its dataset is not in the store any more.",
    )
    feedback_total: int | None = Field(default=None, description="How many there are in all.")


class MetricDifference(View):
    """A metric of two versions."""

    name: str
    first: dict[str, Any] | None = Field(default=None, description="Estimate with its interval.")
    second: dict[str, Any] | None = None
    difference: float | None = Field(default=None, description="Second minus first.")


class FieldDifference(View):
    """A field in which two versions differ."""

    field: str
    first: JsonValue = None
    second: JsonValue = None


class ComparisonView(View):
    """Two versions of an agent side by side."""

    agent_id: str
    first: str
    second: str
    same_weights: bool = Field(description="Their digests are equal.")
    common_ancestor: str | None = Field(
        default=None, description="The nearest version that both go back to; absent: none."
    )
    metrics: list[MetricDifference]
    differences: list[FieldDifference] = Field(
        description="Fields of their lineage that differ: data, configuration, seed, code, "
        "libraries."
    )
