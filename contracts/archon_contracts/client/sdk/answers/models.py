"""Answers about models.

Written by `python -m tests.reference` from the OpenAPI document; do not edit.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from archon_contracts.client.sdk.answers.base import ApiAnswer
from archon_contracts.client.sdk.answers.policies import ArtifactRefInfo


class LineageFactsInfo(ApiAnswer):
    """Origin of a model version: all that is needed to explain it and to train it again."""

    job_id: UUID | None = None
    dataset_id: UUID | None = None
    dataset: ArtifactRefInfo | None = Field(
        default=None, description="Its items, and the ids of the feedback that they are made of."
    )
    feedback_digest: str | None = None
    feedback_count: int | None = Field(default=None, description="Events of the window.")
    parent_version: str | None = Field(
        default=None, description="The version that the training went on from."
    )
    method: str | None = None
    base_model: str | None = None
    config: dict[str, Any] | None = Field(
        default=None, description="Hyper-parameters that the request or the profile names."
    )
    seed: int | None = None
    code_revision: str | None = None
    environment: dict[str, Any] | None = Field(
        default=None, description="Versions of the libraries that trained it."
    )
    trigger: str | None = None
    window_id: str | None = None
    requested_by: str | None = None
    facts: dict[str, Any] | None = Field(
        default=None, description="All that its registration says, these fields too."
    )


class ModelInfo(ApiAnswer):
    """A model version."""

    agent_id: str
    version: str = Field(
        description="Semantic version; of a candidate in training the pre-release of the next one."
    )
    status: str = Field(description="training, ready, deployed or archived.")
    digest: str = Field(description="sha256 of the manifest; empty: it is still in training.")
    uri: str
    metrics: dict[str, Any]
    lineage: LineageFactsInfo
    kind: str | None = None
    model_id: UUID | None = None
    reason: str | None = Field(default=None, description="Why it was deployed or archived last.")
    registered_at: datetime | None = Field(default=None, description="When its training was over.")
    deployed_at: datetime | None = None
    archived_at: datetime | None = None
    protected_reason: str | None = Field(
        default=None, description="Why retention must not archive it; absent: it may."
    )
    evaluation: dict[str, Any] | None = None
    withdrawn_items: int | None = Field(
        default=None, description="Items of retracted feedback that it may hold; at most so many."
    )


class AncestorInfo(ApiAnswer):
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


class LineageInfo(ApiAnswer):
    """Where a version comes from, back to the base model."""

    agent_id: str
    version: str
    lineage: LineageFactsInfo
    ancestors: list[AncestorInfo] = Field(description="The version itself first; 100 at most.")
    feedback_ids: list[str] | None = Field(
        default=None,
        description="Feedback events behind the items that this version learnt, sorted; absent: "
        "its dataset is not in the store any more.",
    )
    feedback_total: int | None = Field(default=None, description="How many there are in all.")


class MetricDifferenceInfo(ApiAnswer):
    """A metric of two versions."""

    name: str
    first: dict[str, Any] | None = Field(default=None, description="Estimate with its interval.")
    second: dict[str, Any] | None = None
    difference: float | None = Field(default=None, description="Second minus first.")


class FieldDifferenceInfo(ApiAnswer):
    """A field in which two versions differ."""

    field: str
    first: Any = None
    second: Any = None


class ComparisonInfo(ApiAnswer):
    """Two versions of an agent side by side."""

    agent_id: str
    first: str
    second: str
    same_weights: bool = Field(description="Their digests are equal.")
    common_ancestor: str | None = Field(
        default=None, description="The nearest version that both go back to; absent: none."
    )
    metrics: list[MetricDifferenceInfo]
    differences: list[FieldDifferenceInfo] = Field(
        description="Fields of their lineage that differ: data, configuration, seed, code, "
        "libraries.",
    )


class DeploymentInfo(ApiAnswer):
    """A change of the deployed version of an agent."""

    revision: int = Field(description="Numbers the changes of the agent's configuration.")
    version: str
    previous_version: str | None = None
    digest: str
    action: str
    actor: str = Field(description="Who asked for it: a person's key, or a service.")
    reason: str
    job_id: UUID | None = None
    at: datetime


class ModelRefInfo(ApiAnswer):
    """A registered model version of an agent."""

    version: str = Field(description="Semantic version, such as 1.2.0.")
    artifact: ArtifactRefInfo


class AssignmentInfo(ApiAnswer):
    """Which version answers, and which one answers beside it unseen."""

    model: ModelRefInfo
    experiment_id: str | None = None
    is_treatment: bool | None = None
    shadow: ModelRefInfo | None = None
