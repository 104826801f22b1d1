"""What an agent's gate asks of single metrics, as data."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, Strict

from archon_contracts.base import ValueObject

Margin = Annotated[float, Strict(), Field(ge=0, lt=1_000)]
Confidence = Annotated[float, Strict(), Field(ge=0.5, lt=1)]


class UndecidedGroups(StrEnum):
    """What follows a loss beyond the limit that a group is too small to show."""

    ACCEPT = "accept"  # it is stated
    REVIEW = "review"  # a person decides on the deployment
    REJECT = "reject"


class GatedMetric(StrEnum):
    """A metric that has a value for each item, so that two versions can be compared in pairs."""

    ACCURACY = "accuracy"
    ACCURACY_AT_5 = "accuracy_at_5"
    CONFIDENCE_LOSS = "confidence_loss"  # cross-entropy of confidence; lower is better
    LATENCY_SECONDS = "latency_seconds"  # of a request alone, first items; lower is better


class RequirementKind(StrEnum):
    """What a metric must do."""

    MUST_IMPROVE = "must_improve"  # by more than the margin
    MAY_NOT_FALL = "may_not_fall"  # by more than the margin


class GateRequirement(ValueObject):
    """A metric that must improve, or may not fall, shown with a confidence.

    Getting better is meant: of a latency `must_improve` asks for a smaller one.
    """

    metric: GatedMetric
    kind: RequirementKind
    margin: Margin = Field(default=0.0, description="In the metric's own unit.")
    confidence: Confidence = Field(
        default=0.95,
        description="With which it must be shown, of all requirements together (Holm).",
    )
    group: str = Field(
        default="all", min_length=1, max_length=256, description="Group of items; all: every item."
    )
