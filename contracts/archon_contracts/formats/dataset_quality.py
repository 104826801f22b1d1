"""The quality report of a dataset version: `quality.json` in its folder.

It names neither time nor job, so that equal content has one digest. What cannot be measured is
absent, and `unmeasured` says why.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pydantic import Field

from archon_contracts.base import ValueObject
from archon_contracts.events.datasets import QualityReport
from archon_contracts.values import AgentKind

FORMAT_VERSION: Final = 1


class TargetBalance(ValueObject):
    """How the new items are spread over their targets."""

    targets: int = Field(ge=0)
    largest: str = Field(default="", description="Target with most items.")
    largest_proportion: float = Field(ge=0, le=1, description="Of all new items.")
    smallest_items: int = Field(ge=0, description="Items of the rarest target.")
    seen_once: int = Field(ge=0, description="Targets with a single item.")
    evenness: float = Field(
        ge=0, le=1, description="Shannon entropy over its largest possible value; 1: all equal."
    )
    counts: dict[str, int] = Field(description="Items of the most frequent targets.")


class TextDiversity(ValueObject):
    """How unlike each other the inputs are."""

    distinct_1: float = Field(ge=0, le=1, description="Distinct words over all words.")
    distinct_2: float = Field(ge=0, le=1, description="Distinct pairs of words over all pairs.")
    mean_words: float = Field(ge=0)
    vendi_score: float = Field(ge=0, description="Effective number of unlike inputs of a sample.")
    sample: int = Field(ge=0, description="Inputs in that sample.")


class SuspectItem(ValueObject):
    """An item whose target may be wrong."""

    id: str
    part: str = Field(description="train, validation or test.")
    input: str = Field(description="Its beginning.")
    label: str = Field(description="Its target.")
    suggested: str = Field(description="Target of the inputs that it is most like.")
    margin: float = Field(description="Similarity to its own target's items less that to others'.")


class LabelErrors(ValueObject):
    """Items whose target may be wrong, by a cross-validated rank. Nothing is deleted for it."""

    checked: int = Field(ge=0, description="Items that were ranked.")
    suspected: int = Field(ge=0, description="Items that are suspected.")
    proportion: float = Field(ge=0, le=1, description="Estimated proportion of wrong targets.")
    weight: float = Field(ge=0, le=1, description="Factor of the weight of suspected items.")
    items: tuple[SuspectItem, ...] = Field(description="The most suspect, worst first.")


class PersonalDataFound(ValueObject):
    """Personal data in the inputs, found by pattern and checksum; names have no pattern."""

    items: int = Field(ge=0, description="Items with any.")
    by_kind: dict[str, int]
    redacted: bool = Field(description="Whether it was replaced by placeholders.")


class LeakedPair(ValueObject):
    """Two inputs that are alike and stand in different parts."""

    first: str = Field(description="Id of the item of the evaluation's part.")
    second: str
    similarity: float = Field(ge=0, le=1, description="Jaccard index of character 4-grams.")


class LeakageCheck(ValueObject):
    """Inputs of the validation and test parts that are nearly in another part."""

    threshold: float = Field(ge=0, le=1)
    compared: int = Field(ge=0, description="Inputs of the validation and test parts.")
    pairs: int = Field(ge=0)
    examples: tuple[LeakedPair, ...] = ()


class DataDrift(ValueObject):
    """New items against those that the deployed version learnt."""

    remembered: int = Field(ge=0, description="Items of the replay memory that were compared with.")
    target_stability: float = Field(ge=0, description="Population stability index of the targets.")
    length_stability: float = Field(ge=0, description="The same of the inputs' lengths.")
    discrepancy: float = Field(description="Unbiased squared maximum mean discrepancy of TF-IDF.")
    p_value: float = Field(ge=0, le=1, description="Of that, by permutation.")
    sample: int = Field(ge=0, description="Inputs of each side in the last two.")


class Freshness(ValueObject):
    """How old the new items are, by when they were received."""

    dated: int = Field(ge=0)
    undated: int = Field(ge=0)
    oldest: datetime | None = None
    median: datetime | None = None
    newest: datetime | None = None


class AnnotatorFigure(ValueObject):
    """An annotator, by the labels of the others."""

    annotator_id: str
    labels: int = Field(ge=0)
    accuracy: float = Field(ge=0, le=1, description="Estimated probability of the true label.")


class DisputedItem(ValueObject):
    """An item whose annotators leave its label open."""

    id: str
    text: str = Field(description="The beginning of its input.")
    labels: tuple[str, ...]
    probability: float = Field(ge=0, le=1, description="Of the most probable label.")


class AnnotatorsReport(ValueObject):
    """Annotators whose labels were aggregated by their error rates (Dawid and Skene)."""

    items: int = Field(ge=0, description="Items with labels of named annotators.")
    kappa: float | None = Field(
        default=None, description="Mean of Cohen's kappa over the pairs of annotators."
    )
    annotators: tuple[AnnotatorFigure, ...]
    disputed: int = Field(ge=0, description="Items left out, which a person should decide.")
    disputed_items: tuple[DisputedItem, ...] = Field(description="Some of them.")


class QualityLimit(ValueObject):
    """A limit of the agent's data policy, and the figure that it applies to."""

    name: str = Field(description="Field of the policy.")
    limit: float
    figure: float | None = Field(default=None, description="Absent: it could not be measured.")
    passed: bool
    detail: str = Field(description="A sentence with the figure.")


class DatasetQuality(ValueObject):
    """What a dataset version is like, measured when it was prepared."""

    format: int = FORMAT_VERSION
    agent_id: str
    kind: AgentKind
    items: dict[str, int] = Field(description="Items per part.")
    counts: QualityReport
    balance: TargetBalance | None = None
    diversity: TextDiversity | None = None
    label_errors: LabelErrors | None = None
    personal_data: PersonalDataFound
    leakage: LeakageCheck
    drift: DataDrift | None = None
    freshness: Freshness
    agreement: dict[str, float | int | None] = Field(
        default_factory=dict, description="Of the annotators, as in the dataset's card."
    )
    annotators: AnnotatorsReport | None = Field(
        default=None, description="Absent: too few items with two named annotators."
    )
    limits: tuple[QualityLimit, ...] = ()
    unmeasured: dict[str, str] = Field(default_factory=dict, description="Part -> why.")

    @property
    def passed(self) -> bool:
        """Whether every limit of the policy holds."""
        return all(limit.passed for limit in self.limits)
