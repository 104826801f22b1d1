"""How an agent's new versions are rolled out."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, Strict, model_validator

from archon_contracts.base import ValueObject
from archon_contracts.rules.bounds import COUNT_BOUND, at_most
from archon_contracts.rules.numbers import PositiveCount, PositiveSeconds, Seconds

DAY_SECONDS: Final = 86_400.0
Share = Annotated[float, Strict(), Field(gt=0, lt=1)]
"""A part of the traffic that is neither none nor all."""
ErrorRate = Annotated[float, Strict(), Field(gt=0), at_most(0.5)]
"""A bound on false decisions."""
Answers = Annotated[int, Strict(), Field(ge=50), COUNT_BOUND]
"""Answers of a whole experiment: with fewer nothing can be decided."""


class RolloutMode(StrEnum):
    """What happens with a version that passed the gate."""

    MANUAL = "manual"  # it is ready; a person deploys it
    IMMEDIATE = "immediate"  # it is deployed
    SHADOW = "shadow"  # it answers beside the deployed version; no user sees its answers
    CANARY = "canary"  # it gets growing parts of the traffic, as long as nothing gets worse
    AB_TEST = "ab_test"  # it gets a fixed part of the traffic until feedback decides


class UndecidedExperiment(StrEnum):
    """What follows an A/B test that ends without a difference."""

    KEEP = "keep"  # the deployed version stays
    PROMOTE = "promote"  # the candidate is deployed: it passed the gate


class RolloutPolicy(ValueObject):
    """Rollout of an agent's new versions. Scored answers are those with feedback on them.

    Updates of the fast path and withdrawals are deployed at once in every mode but manual: a person
    waits for them, and they hold all that the deployed version has learnt.
    """

    mode: RolloutMode = RolloutMode.IMMEDIATE
    treatment_share: Share = Field(
        default=0.5, description="Part of the traffic of the candidate, in an A/B test or shadow."
    )
    canary_shares: tuple[Share, ...] = Field(
        default=(0.05, 0.25, 0.5),
        min_length=1,
        max_length=20,
        description="Growing parts of the traffic of a canary; after the last it is deployed.",
    )
    step_answers: PositiveCount = Field(
        default=100, description="Scored answers of a canary before its next part of the traffic."
    )
    alpha: ErrorRate = Field(
        default=0.05, description="Largest probability that two equal versions get a winner."
    )
    maximum_answers: Answers = Field(
        default=10_000, description="Scored answers of both versions that end an A/B test."
    )
    maximum_seconds: PositiveSeconds = Field(
        default=14 * DAY_SECONDS, description="Time that ends any experiment [s]."
    )
    undecided: UndecidedExperiment = UndecidedExperiment.KEEP
    guardrails: bool = Field(
        default=True,
        description="End an experiment when its candidate fails or is slow more often.",
    )
    automatic_rollback: bool = Field(
        default=True,
        description="Return to the version before when feedback, failures or latency got worse.",
    )
    rollback_alpha: ErrorRate = Field(
        default=0.002,
        description="Largest probability that a version as good as the one before is rolled back, "
        "for each of the three.",
    )
    rollback_answers: Answers = Field(
        default=2000, description="Answers of a version during which it may be rolled back."
    )
    cooldown_seconds: Seconds = Field(
        default=3600.0, description="Least time between two automatic rollbacks [s]."
    )

    @model_validator(mode="after")
    def _shares_grow(self) -> Self:
        if list(self.canary_shares) != sorted(set(self.canary_shares)):
            raise ValueError(
                f"canary_shares are {self.canary_shares}; each must be above the one before"
            )
        return self
