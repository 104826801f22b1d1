"""Answers about datasets.

Written by `python -m tests.reference` from the OpenAPI document; do not edit.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from archon_contracts.client.sdk.answers.base import ApiAnswer
from archon_contracts.client.sdk.answers.policies import ArtifactRefInfo


class DatasetInfo(ApiAnswer):
    """An uploaded dataset."""

    name: str
    purpose: str
    items: int
    artifact: ArtifactRefInfo
    created_at: datetime | None = None


class PreparedDatasetInfo(ApiAnswer):
    """A dataset version that data preparation produced for a job."""

    dataset_id: UUID
    agent_id: str
    job_id: UUID
    dataset_version: int
    artifact: ArtifactRefInfo
    items: dict[str, int]
    quality: dict[str, Any]
    prepared_at: datetime


class DatasetPageInfo(ApiAnswer):
    """A part of both lists of datasets; the cursor leads on in both."""

    items: list[DatasetInfo]
    next_cursor: str | None = Field(
        default=None, description="Pass it as `cursor` for the next page; absent: this is the last."
    )
    prepared: list[PreparedDatasetInfo]


class QualityReportInfo(ApiAnswer):
    """What cleaning did, and what the result looks like."""

    received: int = Field(description="Items in all sources.")
    unusable: int | None = Field(default=None, description="Left out: no target, or not readable.")
    duplicates: int | None = Field(default=None, description="Left out: same or near-same input.")
    conflicting: int | None = Field(default=None, description="Left out: same input, other target.")
    held_out: int | None = Field(default=None, description="Left out: in the evaluation suite.")
    quarantined: int | None = Field(
        default=None, description="Left out: not trusted; see quarantined.jsonl."
    )
    quarantined_by_reason: dict[str, int] | None = None
    kept: int
    by_source: dict[str, int] | None = None
    targets: int | None = Field(default=None, description="Distinct targets.")


class TargetBalanceInfo(ApiAnswer):
    """How the new items are spread over their targets."""

    targets: int
    largest: str | None = Field(default=None, description="Target with most items.")
    largest_proportion: float = Field(description="Of all new items.")
    smallest_items: int = Field(description="Items of the rarest target.")
    seen_once: int = Field(description="Targets with a single item.")
    evenness: float = Field(
        description="Shannon entropy over its largest possible value; 1: all equal."
    )
    counts: dict[str, int] = Field(description="Items of the most frequent targets.")


class TextDiversityInfo(ApiAnswer):
    """How unlike each other the inputs are."""

    distinct_1: float = Field(description="Distinct words over all words.")
    distinct_2: float = Field(description="Distinct pairs of words over all pairs.")
    mean_words: float
    vendi_score: float = Field(description="Effective number of unlike inputs of a sample.")
    sample: int = Field(description="Inputs in that sample.")


class SuspectItemInfo(ApiAnswer):
    """An item whose target may be wrong."""

    id: str
    part: str = Field(description="train, validation or test.")
    input: str = Field(description="Its beginning.")
    label: str = Field(description="Its target.")
    suggested: str = Field(description="Target of the inputs that it is most like.")
    margin: float = Field(description="Similarity to its own target's items less that to others'.")


class LabelErrorsInfo(ApiAnswer):
    """Items whose target may be wrong, by a cross-validated rank. Nothing is deleted for it."""

    checked: int = Field(description="Items that were ranked.")
    suspected: int = Field(description="Items that are suspected.")
    proportion: float = Field(description="Estimated proportion of wrong targets.")
    weight: float = Field(description="Factor of the weight of suspected items.")
    items: list[SuspectItemInfo] = Field(description="The most suspect, worst first.")


class PersonalDataFoundInfo(ApiAnswer):
    """Personal data in the inputs, found by pattern and checksum; names have no pattern."""

    items: int = Field(description="Items with any.")
    by_kind: dict[str, int]
    redacted: bool = Field(description="Whether it was replaced by placeholders.")


class LeakedPairInfo(ApiAnswer):
    """Two inputs that are alike and stand in different parts."""

    first: str = Field(description="Id of the item of the evaluation's part.")
    second: str
    similarity: float = Field(description="Jaccard index of character 4-grams.")


class LeakageCheckInfo(ApiAnswer):
    """Inputs of the validation and test parts that are nearly in another part."""

    threshold: float
    compared: int = Field(description="Inputs of the validation and test parts.")
    pairs: int
    examples: list[LeakedPairInfo] | None = None


class DataDriftInfo(ApiAnswer):
    """New items against those that the deployed version learnt."""

    remembered: int = Field(description="Items of the replay memory that were compared with.")
    target_stability: float = Field(description="Population stability index of the targets.")
    length_stability: float = Field(description="The same of the inputs' lengths.")
    discrepancy: float = Field(description="Unbiased squared maximum mean discrepancy of TF-IDF.")
    p_value: float = Field(description="Of that, by permutation.")
    sample: int = Field(description="Inputs of each side in the last two.")


class FreshnessInfo(ApiAnswer):
    """How old the new items are, by when they were received."""

    dated: int
    undated: int
    oldest: datetime | None = None
    median: datetime | None = None
    newest: datetime | None = None


class AnnotatorFigureInfo(ApiAnswer):
    """An annotator, by the labels of the others."""

    annotator_id: str
    labels: int
    accuracy: float = Field(description="Estimated probability of the true label.")


class DisputedItemInfo(ApiAnswer):
    """An item whose annotators leave its label open."""

    id: str
    text: str = Field(description="The beginning of its input.")
    labels: list[str]
    probability: float = Field(description="Of the most probable label.")


class AnnotatorsReportInfo(ApiAnswer):
    """Annotators whose labels were aggregated by their error rates (Dawid and Skene)."""

    items: int = Field(description="Items with labels of named annotators.")
    kappa: float | None = Field(
        default=None, description="Mean of Cohen's kappa over the pairs of annotators."
    )
    annotators: list[AnnotatorFigureInfo]
    disputed: int = Field(description="Items left out, which a person should decide.")
    disputed_items: list[DisputedItemInfo] = Field(description="Some of them.")


class QualityLimitInfo(ApiAnswer):
    """A limit of the agent's data policy, and the figure that it applies to."""

    name: str = Field(description="Field of the policy.")
    limit: float
    figure: float | None = Field(default=None, description="Absent: it could not be measured.")
    passed: bool
    detail: str = Field(description="A sentence with the figure.")


class DatasetQualityInfo(ApiAnswer):
    """What a dataset version is like, measured when it was prepared."""

    format: int | None = None
    agent_id: str
    kind: str
    items: dict[str, int] = Field(description="Items per part.")
    counts: QualityReportInfo
    balance: TargetBalanceInfo | None = None
    diversity: TextDiversityInfo | None = None
    label_errors: LabelErrorsInfo | None = None
    personal_data: PersonalDataFoundInfo
    leakage: LeakageCheckInfo
    drift: DataDriftInfo | None = None
    freshness: FreshnessInfo
    agreement: dict[str, float | int | None] | None = Field(
        default=None, description="Of the annotators, as in the dataset's card."
    )
    annotators: AnnotatorsReportInfo | None = Field(
        default=None, description="Absent: too few items with two named annotators."
    )
    limits: list[QualityLimitInfo] | None = None
    unmeasured: dict[str, str] | None = Field(default=None, description="Part -> why.")


class ChangedItemInfo(ApiAnswer):
    """An input that both versions hold, in other parts or with other targets."""

    text: str = Field(description="The beginning of the input.")
    target_before: str
    target: str
    part_before: str = Field(description="train, validation or test.")
    part: str


class DatasetChangesInfo(ApiAnswer):
    """A version of a dataset against an earlier one; an item is known by its input."""

    agent_id: str
    dataset_version: int
    since: int = Field(description="The version that it is compared with.")
    items: int
    items_before: int
    added: int
    removed: int
    relabelled: int = Field(description="Inputs with another target than before.")
    moved: int = Field(description="Inputs that are in another part than before.")
    added_by_target: dict[str, int] = Field(description="Of the targets with most added items.")
    removed_by_target: dict[str, int]
    examples: list[ChangedItemInfo] = Field(description="Relabelled and moved inputs, some of all.")
