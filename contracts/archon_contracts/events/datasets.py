"""Versioned training data."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from archon_contracts import topics
from archon_contracts.base import Contract, Name, ValueObject
from archon_contracts.topics import Topic
from archon_contracts.values import ArtifactRef


class QualityReport(ValueObject):
    """What cleaning did, and what the result looks like."""

    received: int = Field(ge=0, description="Items in all sources.")
    unusable: int = Field(default=0, ge=0, description="Left out: no target, or not readable.")
    duplicates: int = Field(default=0, ge=0, description="Left out: same or near-same input.")
    conflicting: int = Field(default=0, ge=0, description="Left out: same input, other target.")
    held_out: int = Field(default=0, ge=0, description="Left out: in the evaluation suite.")
    quarantined: int = Field(
        default=0, ge=0, description="Left out: not trusted; see quarantined.jsonl."
    )
    quarantined_by_reason: dict[str, int] = Field(default_factory=dict)
    kept: int = Field(ge=0)
    by_source: dict[str, int] = Field(default_factory=dict)
    targets: int = Field(default=0, ge=0, description="Distinct targets.")


class DatasetPrepared(Contract):
    """A dataset version is ready to train on."""

    topic: ClassVar[Topic] = topics.DATASETS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    job_id: UUID
    dataset_id: UUID
    dataset_version: int = Field(ge=1)
    artifact: ArtifactRef
    items: dict[str, int] = Field(description="Items per split: train, validation, test.")
    quality: QualityReport


class DatasetRejected(Contract):
    """The sources hold nothing that can be trained on."""

    topic: ClassVar[Topic] = topics.DATASETS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    job_id: UUID
    reason: str
    quality: QualityReport | None = None


class SyntheticDataGenerated(Contract):
    """Synthetic items are ready."""

    topic: ClassVar[Topic] = topics.DATASETS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    request_id: UUID
    artifact: ArtifactRef
    items: int = Field(ge=0)
    rejected: dict[str, int] = Field(default_factory=dict, description="Left out, by reason.")
