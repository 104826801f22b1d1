"""Events of agents."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from archon_contracts import topics
from archon_contracts.base import Contract, Identifier, Name
from archon_contracts.topics import Topic
from archon_contracts.values import AgentProfile


class AgentConfigured(Contract):
    """The coordinator has this agent's configuration and accepts feedback for it."""

    topic: ClassVar[Topic] = topics.AGENTS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    profile: AgentProfile


class AgentParked(Contract):
    """The agent's trigger could not be evaluated: no retrain begins for a while."""

    topic: ClassVar[Topic] = topics.AGENTS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    reason: str = Field(description="What went wrong.")
    until: datetime = Field(description="When it is evaluated again.")


class FeedbackWithdrawn(Contract):
    """Feedback was retracted that versions have learnt: which ones, and what is done about it."""

    topic: ClassVar[Topic] = topics.AGENTS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    affected_versions: dict[str, int] = Field(
        description="Every version that may hold retracted feedback, and how many items of it; it "
        "replaces an earlier list. An upper bound: what data preparation left out counts too."
    )
    deployed: str = Field(default="", description="Version deployed now; empty: none.")
    job_id: UUID | None = Field(
        default=None, description="Job that makes a version without them; absent: none is begun."
    )
    reason: str = Field(default="", description="What the job does, or why there is none.")


class FeedbackErased(Contract):
    """Feedback was retracted and its content erased: whoever quotes it erases its copy."""

    topic: ClassVar[Topic] = topics.AGENTS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    interaction_ids: tuple[Identifier, ...] = Field(
        min_length=1, max_length=100, description="What the feedback was on."
    )
