"""An experiment as agents see it: two versions and who gets which."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from archon_contracts.base import ValueObject
from archon_contracts.rules.rollout_policy import RolloutMode, Share
from archon_contracts.values import Estimate, ModelRef


class Experiment(ValueObject):
    """A comparison of two versions that is running.

    `assign_version` of `archon_contracts.rollouts.assignment` says who is served by which.
    """

    experiment_id: UUID
    mode: RolloutMode = Field(description="shadow, canary or ab_test.")
    salt: str = Field(
        description="Part of the assignment's hash: each experiment divides units anew.",
        min_length=1,
        max_length=128,
    )
    control: ModelRef
    treatment: ModelRef
    treatment_share: Share


class ArmReport(ValueObject):
    """One version's part in an experiment. Answers with feedback are a selection of all answers."""

    model: ModelRef
    scored: int = Field(ge=0, description="Answers with feedback that says how good they were.")
    outcome: Estimate | None = Field(
        default=None, description="Mean outcome of those, 0 to 1; absent: there is none."
    )
    weighted_outcome: Estimate | None = Field(
        default=None,
        description="Mean outcome of all answers, estimated from the scored ones whose "
        "`feedback_propensity` is known, each weighed by its inverse; absent: none is known.",
    )
    interactions: int = Field(default=0, ge=0, description="Answers that were logged.")
    failed: int = Field(default=0, ge=0, description="Of those, with an error.")
    feedback_rate: float | None = Field(
        default=None,
        ge=0,
        description="Scored answers per logged one; absent: none was logged. Where it differs "
        "between versions, so may the users who rate.",
    )
