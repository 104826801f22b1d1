"""Answers about agents.

Written by `python -m tests.reference` from the OpenAPI document; do not edit.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from archon_contracts.client.sdk.answers.base import ApiAnswer
from archon_contracts.client.sdk.answers.policies import AgentProfileInfo


class DeployedVersionInfo(ApiAnswer):
    """The model version that an agent uses."""

    version: str
    digest: str
    uri: str
    deployed_at: datetime | None = None


class FeedbackTotalsInfo(ApiAnswer):
    """Stored feedback of an agent; an event that was sent again counts once."""

    feedback: int | None = None
    corrected: int | None = None
    rated: int | None = None
    mean_rating: float | None = None
    interactions: int | None = None
    last_hour: datetime | None = Field(default=None, description="Start of the newest hour.")


class ParkedInfo(ApiAnswer):
    """Why no retrain of an agent begins by itself, and what ends that."""

    reason: str
    since: datetime
    until: datetime
    lift: str | None = None


class SuiteMisfitInfo(ApiAnswer):
    """What items of an evaluation dataset ask for though it is no answer of the agent."""

    target: str
    items: int
    ids: list[str] = Field(description="Ids of these items, the first 20.")


class AgentInfo(ApiAnswer):
    """An agent with its deployed version and open job."""

    agent_id: str
    kind: str
    base_model: str
    profile: AgentProfileInfo
    evaluation_dataset: str | None = None
    deployed_version: str | None = None
    deployed: DeployedVersionInfo | None = None
    open_job: UUID | None = None
    feedback_totals: FeedbackTotalsInfo | None = None
    parked: ParkedInfo | None = Field(
        default=None, description="Present: its trigger could not be evaluated."
    )
    configured_at: datetime | None = Field(default=None, description="Absent: not confirmed yet.")
    unscored_targets: list[SuiteMisfitInfo] | None = Field(
        default=None,
        description="Only in the answer to a configuration: what items of the evaluation dataset "
        "ask for that the agent cannot answer. They are not scored until it can. At most 20.",
    )
