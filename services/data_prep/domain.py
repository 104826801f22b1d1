"""The words of data preparation: an item, what became of all of them, a prepared dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from archon_contracts.commands import SourceKind
from archon_contracts.events import FeedbackSource, QualityReport
from archon_contracts.formats import (
    NEGATIVES,
    AnnotatorsReport,
    QuarantinedItem,
    Split,
    TrainingItem,
)

NEVER = datetime.fromtimestamp(0, UTC)
"""Stands in for an unknown time: older than any known one."""

HeldOut = Mapping[str, frozenset[str]]
"""The normalised inputs of an evaluation suite, each with its targets."""


class Item(TrainingItem):
    """A training item while it is prepared, with what its file does not hold.

    `key` is the normalised input: items with equal keys are the same question. `annotators` chose
    the target, sorted.
    """

    key: str
    annotators: tuple[str, ...] = ()
    was_answered_wrong: bool | None = None

    def outranks(self, other: Item) -> bool:
        """Whether this one is believed: the more trusted, then the one received later."""
        return (self.trust, self.known_at) >= (other.trust, other.known_at)

    @property
    def known_at(self) -> datetime:
        """When it was received; the sender's time only where nobody noted that."""
        return self.received_at or self.occurred_at or NEVER

    def to_training_item(self, *, difficulty: float) -> TrainingItem:
        """The item as a dataset's file holds it."""
        # The values were validated when this item was made.
        values = {name: getattr(self, name) for name in TrainingItem.model_fields}
        return TrainingItem.model_construct(**values | {"difficulty": difficulty})


def merge_items(first: Item, second: Item) -> Item:
    """Two items of one input and target as one: the stronger, with what both know."""
    strong, weak = (second, first) if second.outranks(first) else (first, second)
    rejected = dict.fromkeys((*strong.rejected, *weak.rejected))
    wrong = [
        item.was_answered_wrong for item in (first, second) if item.was_answered_wrong is not None
    ]
    return strong.model_copy(
        update={
            "rejected": tuple(rejected),
            "weight": max(first.weight, second.weight),
            "was_answered_wrong": any(wrong) if wrong else None,
            "feedback_ids": tuple(dict.fromkeys((*first.feedback_ids, *second.feedback_ids))),
        }
    )


class QuarantineReason(StrEnum):
    """Why feedback is kept out of a dataset though it could be read."""

    REPEATED = "repeated"  # its rater sent near-same inputs often enough
    OUTVOTED = "outvoted"  # a clear majority of raters answers this very input otherwise
    DISPUTED = "disputed"  # raters trusted as much answer this very input otherwise
    MARKED = "marked"  # words tied to its answer, which others contradict without them
    OUTLIER = "outlier"  # its rater contradicts what is known, significantly
    CONTESTED = "contested"  # a known answer where another one is known, of few or many raters
    CONTRADICTED = "contradicted"  # it contradicts what is known, where policy gives that no weight
    SOURCE_SHARE = "source_share"  # its source gave more than its limit
    CONFLICTING = "conflicting"  # its input has another target, or several that weigh the same
    UNIT_SHARE = "unit_proportion"  # its rater, or its key, gave more than its limit


@dataclass(frozen=True, slots=True)
class Targets:
    """Which answers exist. `allowed` is None where any text may be one."""

    allowed: frozenset[str] | None = None
    descriptions: Mapping[str, str] = field(default_factory=dict)

    def accepts(self, target: str) -> bool:
        """Whether the agent could give this answer at all."""
        return bool(target) and (self.allowed is None or target in self.allowed)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparationPolicy:
    """How this installation prepares data."""

    near_duplicate_threshold: float = 0.85
    exact_comparison_limit: int = 20_000
    replay_capacity: int = 2_000
    validation_share_with_suite: float = 0.1
    augmentation_share: float = 0.0


class MemoryPart(StrEnum):
    """What a remembered item is for."""

    REPLAY = "replay"  # trained on again
    REFERENCE = "reference"  # evaluated with, never trained on


@dataclass(frozen=True, slots=True)
class MemoryPosition:
    """Where a dataset stands in its agent's memory; `sequence` is None when it is not in it."""

    dataset_version: int
    sequence: int | None


@dataclass(frozen=True, slots=True)
class SamplingSeeds:
    """Seeds of splits and samples; with a secret, nobody outside can foresee them."""

    job: int
    agent: int


@dataclass(slots=True)
class PreparationCounters:
    """What became of every line; each step adds its part."""

    received: int = 0
    unusable: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    conflicting: int = 0
    set_aside: list[QuarantinedItem] = field(default_factory=list)
    """What `conflicting` counts, by name."""
    held_out: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)

    def report(self, kept: int, by_source: Mapping[str, int], targets: int) -> QualityReport:
        """The counts as published."""
        return QualityReport(
            received=self.received,
            unusable=self.unusable.total(),
            duplicates=self.duplicates,
            conflicting=self.conflicting,
            held_out=self.held_out,
            quarantined=self.quarantined.total(),
            quarantined_by_reason=dict(sorted(self.quarantined.items())),
            kept=kept,
            by_source=dict(sorted(by_source.items())),
            targets=targets,
        )


@dataclass(frozen=True, slots=True)
class GradedItem:
    """An item with its difficulty: the proportion of the dataset's items that are easier."""

    item: Item
    difficulty: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedDataset:
    """A dataset, before it is written."""

    splits: Mapping[Split, tuple[GradedItem, ...]]
    learned: tuple[Item, ...]
    """New items to remember for later replay."""
    quality: QualityReport
    reference: tuple[Item, ...] = ()
    """The protected reference set as it stands: the evaluation asks it beside the test part."""
    reference_candidates: tuple[Item, ...] = ()
    """Items of the test part that may enter the set later."""
    negatives: tuple[Item, ...] = ()
    """Items of which only wrong answers are known."""
    rewarded: tuple[Item, ...] = ()
    """Answers with their rewards, each interaction by itself."""
    unusable: Mapping[str, int]
    agreement: Mapping[str, float | int | None]
    quarantined: tuple[QuarantinedItem, ...] = ()
    annotators: AnnotatorsReport | None = None

    @property
    def counts(self) -> dict[str, int]:
        """Items per split."""
        parts = {str(split): len(items) for split, items in self.splits.items()}
        return parts | ({NEGATIVES: len(self.negatives)} if self.negatives else {})


@dataclass(frozen=True, slots=True)
class PreparedSummary:
    """What the service keeps of a prepared dataset beside its files."""

    counts: Mapping[str, int]
    quality: QualityReport
    learned: tuple[Item, ...]
    """New items for the replay buffer."""
    reference_candidates: tuple[Item, ...] = ()
    """Items for the protected reference set."""


@dataclass(frozen=True, slots=True)
class RejectedDataset:
    """Sources without anything to train on, and the reason."""

    reason: str
    quality: QualityReport


TRUST_BY_KIND: Mapping[SourceKind, float] = {
    SourceKind.HUMAN: 1.0,
    SourceKind.FEEDBACK: 1.0,
    SourceKind.EXTERNAL: 0.9,
    SourceKind.HISTORICAL: 0.6,
    SourceKind.SYNTHETIC: 0.3,
}
"""How far a kind of source is believed where two of them contradict each other."""

TRUST_BY_FEEDBACK_SOURCE: Mapping[str, float] = {
    FeedbackSource.EXPERT: 1.0,
    FeedbackSource.ENVIRONMENT: 1.0,
    FeedbackSource.GUARDRAIL: 0.9,
    FeedbackSource.USER: 0.9,
}
"""How far the rater of a feedback event is believed."""
