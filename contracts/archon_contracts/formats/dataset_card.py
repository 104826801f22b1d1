"""The card of a dataset: what it was made of, by which rules, and what was left out."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from archon_contracts.base import ValueObject
from archon_contracts.events.curriculum import CurriculumPlan
from archon_contracts.events.datasets import QualityReport
from archon_contracts.values import AgentKind, TrustPolicy

FORMAT_VERSION: Final = 2
"""Raised when readers must change."""


class SourceEntry(ValueObject):
    """One source of a dataset."""

    kind: str
    digest: str = Field(description="Of its artifact.")
    items: int = Field(ge=0)


class DatasetCard(ValueObject):
    """How a dataset came to be. It names neither time nor job, so equal content has one digest."""

    format: int = FORMAT_VERSION
    agent_id: str
    kind: AgentKind
    items: dict[str, int] = Field(description="Items per split.")
    quality: QualityReport
    unusable: dict[str, int] = Field(description="Lines left out, by reason.")
    agreement: dict[str, float | int | None] = Field(
        description="Krippendorff's alpha of the annotators, and the units and ratings behind it."
    )
    feedback_ids: int = Field(ge=0, description="Feedback events behind the new items.")
    sources: tuple[SourceEntry, ...]
    evaluation_suite: str | None = Field(default=None, description="Digest of the suite left out.")
    catalogue: str | None = Field(default=None, description="Digest.")
    labels: tuple[str, ...] = ()
    seed: int
    plan: CurriculumPlan
    trust: TrustPolicy
    policy: dict[str, float] = Field(description="Settings of this installation.")
