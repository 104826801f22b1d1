"""Answers about data policies.

Written by `python -m tests.reference` from the OpenAPI document; do not edit.
"""

from __future__ import annotations

from pydantic import Field

from archon_contracts.client.sdk.answers.base import ApiAnswer


class DataPolicyInfo(ApiAnswer):
    """How an agent's data is prepared, and which dataset versions are refused."""

    redact_personal_data: bool | None = Field(
        default=None,
        description="Replace personal data that has a pattern by placeholders; never in labels.",
    )
    suspect_weight: float | None = Field(
        default=None,
        description="Factor of the training weight of items whose target is suspected to be wrong.",
    )
    minimum_characters: int | None = Field(default=None, description="Shorter inputs are left out.")
    maximum_characters: int | None = Field(
        default=None, description="Longer inputs are left out; absent: any length."
    )
    scripts: list[str] | None = Field(
        default=None,
        description="Scripts that most letters of an input are of, such as LATIN or CYRILLIC; "
        "inputs of others are left out. Empty: any.",
    )
    minimum_items: int | None = Field(default=None, description="Least new items.")
    minimum_target_items: int | None = Field(
        default=None, description="Least new items of each target."
    )
    maximum_target_proportion: float | None = Field(
        default=None, description="Largest proportion of the new items that one target has."
    )
    minimum_distinct_pairs: float | None = Field(
        default=None, description="Least proportion of word pairs that are distinct."
    )
    maximum_unusable: float | None = Field(
        default=None,
        description="Largest proportion of received items without a target, or not readable.",
    )
    maximum_duplicates: float | None = Field(
        default=None, description="Largest proportion of received items that repeat others."
    )
    maximum_conflicts: float | None = Field(
        default=None, description="Largest proportion that contradicts others."
    )
    maximum_label_errors: float | None = Field(
        default=None, description="Largest estimated proportion of wrong targets."
    )
    maximum_personal_data: float | None = Field(
        default=None, description="Largest proportion of items with personal data left in."
    )
    maximum_leaked_pairs: int | None = Field(
        default=None, description="Most pairs of inputs alike across the parts."
    )
    maximum_drift: float | None = Field(
        default=None, description="Largest population stability index of the targets."
    )
    maximum_age_seconds: float | None = Field(
        default=None, description="Largest age of the newest item when the dataset is made [s]."
    )


class SkillDefinitionInfo(ApiAnswer):
    """A skill of one agent, beside the task types that every agent has."""

    name: str = Field(description="As items state it in `skill`.")
    task_type: str = Field(description="What kind of task it is; its level follows from it.")


class CurriculumPolicyInfo(ApiAnswer):
    """How the curriculum sorts the items of a training."""

    skills: list[SkillDefinitionInfo] | None = Field(
        default=None, description="Skills of this agent, each with its task type."
    )
    staged: bool | None = Field(
        default=None,
        description="Train in stages, easiest items first. Off: every stage of a run sees all "
        "items, because difficulty goes with the target and early stages lose whole classes.",
    )
