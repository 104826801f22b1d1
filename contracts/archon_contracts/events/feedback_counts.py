"""Counters of stored feedback, so that readers need not count the feedback topic again."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from pydantic import Field

from archon_contracts import topics
from archon_contracts.base import Contract, Name, ValueObject
from archon_contracts.rules.moments import UtcTime
from archon_contracts.topics import Topic

# Batched: one FeedbackCounted per agent for a second of the coordinator's. Keyed by agent on a
# topic of its own, because the jobs topic is keyed by job and the feedback topic is the agents'.
# Internal traffic is counted in none. Counters may all be zero: a window took feedback, or gave it
# back, and `unused` changed.


class FeedbackCounts(ValueObject):
    """What was stored of one agent for one hour and one model version. Counters can be added."""

    hour: datetime = Field(description="Start of the hour in which it arrived, UTC.")
    model_version: str | None = Field(default=None, description="Absent: not named.")
    model_digest: str | None = Field(default=None, description="Absent: not named.")
    feedback: int = Field(default=0, ge=0, description="FeedbackReceived events.")
    scored: int = Field(
        default=0,
        ge=0,
        description="Of those, with an outcome; see archon_contracts.rules.answer_outcome.",
    )
    outcome_sum: float = 0.0
    outcome_squares: float = Field(default=0.0, description="Sum of squared outcomes.")
    weighted: int = Field(
        default=0, ge=0, description="Scored ones whose `feedback_propensity` is known."
    )
    weight_sum: float = Field(
        default=0.0, description="Of those, the sum of w = 1 / feedback_propensity, 100 at most."
    )
    weight_squares: float = Field(default=0.0, description="Sum of w squared.")
    weighted_sum: float = Field(default=0.0, description="Sum of w times outcome.")
    weighted_products: float = Field(default=0.0, description="Sum of w squared times outcome.")
    weighted_squares: float = Field(
        default=0.0, description="Sum of w squared times outcome squared."
    )
    corrected: int = Field(default=0, ge=0, description="With an answer other than the agent's.")
    rated: int = Field(default=0, ge=0)
    rating_sum: float = 0.0
    rewarded: int = Field(default=0, ge=0)
    reward_sum: float = 0.0
    by_source: dict[str, int] = Field(
        default_factory=dict, description="FeedbackReceived events per feedback source."
    )
    retracted: int = Field(default=0, ge=0)
    annotations: int = Field(default=0, ge=0)
    interactions: int = Field(default=0, ge=0, description="InteractionLogged events.")
    failed: int = Field(default=0, ge=0, description="Interactions with an error.")
    latencies: dict[str, int] = Field(
        default_factory=dict,
        description="Interactions per latency bucket; see archon_contracts.latency_buckets.",
    )
    duplicates: int = Field(
        default=0, ge=0, description="Events received again; in none of the other counters."
    )


class FeedbackCounted(Contract):
    """Feedback was stored: increments of an agent's counters, each stored event counted once."""

    topic: ClassVar[Topic] = topics.FEEDBACK_COUNTS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    counts: tuple[FeedbackCounts, ...] = Field(min_length=1)
    unused: int | None = Field(
        default=None,
        ge=0,
        description="Feedback of the agent that is in no window, at `unused_at`; what its trigger "
        "counts. Absent: of an earlier release.",
    )
    unused_at: UtcTime | None = Field(
        default=None, description="By the coordinator's database; the newest one is right."
    )
