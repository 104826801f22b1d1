"""Rules for an agent's data: how it is prepared, and which dataset versions are refused."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, Strict

from archon_contracts.base import ValueObject
from archon_contracts.rules.bounds import at_most
from archon_contracts.rules.numbers import Count, PositiveCount, PositiveSeconds, Proportion


class DataPolicy(ValueObject):
    """How an agent's data is prepared, and which dataset versions are refused.

    A limit that is absent is reported only; one whose figure cannot be measured is broken.
    """

    redact_personal_data: bool = Field(
        default=False,
        description="Replace personal data that has a pattern by placeholders; never in labels.",
    )
    suspect_weight: Proportion = Field(
        default=1.0,
        description="Factor of the training weight of items whose target is suspected to be wrong.",
    )
    minimum_characters: Count = Field(default=0, description="Shorter inputs are left out.")
    maximum_characters: PositiveCount | None = Field(
        default=None, description="Longer inputs are left out; absent: any length."
    )
    scripts: tuple[Annotated[str, Field(pattern=r"^[A-Z]+$", max_length=32)], ...] = Field(
        default=(),
        max_length=20,
        description="Scripts that most letters of an input are of, such as LATIN or CYRILLIC; "
        "inputs of others are left out. Empty: any.",
    )
    minimum_items: Count = Field(default=0, description="Least new items.")
    minimum_target_items: Count = Field(default=0, description="Least new items of each target.")
    maximum_target_proportion: Proportion | None = Field(
        default=None, description="Largest proportion of the new items that one target has."
    )
    minimum_distinct_pairs: Proportion | None = Field(
        default=None, description="Least proportion of word pairs that are distinct."
    )
    maximum_unusable: Proportion | None = Field(
        default=None,
        description="Largest proportion of received items without a target, or not readable.",
    )
    maximum_duplicates: Proportion | None = Field(
        default=None, description="Largest proportion of received items that repeat others."
    )
    maximum_conflicts: Proportion | None = Field(
        default=None, description="Largest proportion that contradicts others."
    )
    maximum_label_errors: Proportion | None = Field(
        default=None, description="Largest estimated proportion of wrong targets."
    )
    maximum_personal_data: Proportion | None = Field(
        default=None, description="Largest proportion of items with personal data left in."
    )
    maximum_leaked_pairs: Count | None = Field(
        default=None, description="Most pairs of inputs alike across the parts."
    )
    maximum_drift: Annotated[float, Strict(), Field(ge=0), at_most(100)] | None = Field(
        default=None, description="Largest population stability index of the targets."
    )
    maximum_age_seconds: PositiveSeconds | None = Field(
        default=None, description="Largest age of the newest item when the dataset is made [s]."
    )
