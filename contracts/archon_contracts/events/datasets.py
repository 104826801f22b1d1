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


class PrivacyFigures(ValueObject):
    """How far synthetic items are from the examples that they were made of.

    The audit makes items of half of the examples and of planted canaries, records with a secret
    that only they have.
    """

    nearest: float = Field(description="Smallest cosine distance of an item to an example.")
    median: float = Field(description="Median of the items' distances to their nearest example.")
    canaries: int = Field(default=0, ge=0, description="Planted in the audit; 0: no audit.")
    leaked_canaries: int = Field(default=0, ge=0, description="Secrets found in the audit's items.")
    membership_auc: float | None = Field(
        default=None,
        description="Area under the ROC curve of recognising by distance the examples that the "
        "audit used; 0.5: not at all. Absent: too few examples.",
    )


class SyntheticQuality(ValueObject):
    """Measured on the items that were accepted."""

    vendi: float | None = Field(default=None, description="Effective number of distinct items.")
    measured: int = Field(default=0, ge=0, description="Items that `vendi` was measured on.")
    distinct_2: float | None = Field(default=None, description="Distinct word pairs of all.")
    self_bleu: float | None = Field(
        default=None, description="Mean BLEU of an item with the others, 0..100: lower is better."
    )
    similarity_limit: float = Field(description="Most that two items of an answer may share.")
    difficulty: float | None = Field(
        default=None, description="Mean difficulty score, 0..1, by the curriculum's function."
    )
    privacy: PrivacyFigures | None = Field(default=None, description="Absent: no examples.")


class SyntheticDataGenerated(Contract):
    """Synthetic items are ready."""

    topic: ClassVar[Topic] = topics.DATASETS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    request_id: UUID
    artifact: ArtifactRef
    items: int = Field(ge=0)
    rejected: dict[str, int] = Field(default_factory=dict, description="Left out, by reason.")
    requested: int = Field(default=0, ge=0, description="Items asked for; 0: not stated.")
    shortfall: str = Field(
        default="", description="Why there are fewer items than asked for; empty: there are not."
    )
    quality: SyntheticQuality | None = Field(default=None, description="Absent: no items.")


class SyntheticDataProgressed(Contract):
    """More synthetic items were accepted."""

    topic: ClassVar[Topic] = topics.DATASETS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    request_id: UUID
    accepted: int = Field(ge=0)
    candidates: int = Field(ge=0, description="Made so far, accepted or not.")
    total: int = Field(ge=0, description="Items asked for.")


class SyntheticDataCancelled(Contract):
    """A request for synthetic data was stopped; what it had made is gone."""

    topic: ClassVar[Topic] = topics.DATASETS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    request_id: UUID
    reason: str
