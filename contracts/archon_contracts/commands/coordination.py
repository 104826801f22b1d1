"""Commands to the coordinator."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from archon_contracts import topics
from archon_contracts.base import Contract, Name
from archon_contracts.topics import Topic
from archon_contracts.values import AgentProfile


class ConfigureAgent(Contract):
    """Add this agent, or change its configuration."""

    topic: ClassVar[Topic] = topics.COORDINATOR_COMMANDS
    key_field: ClassVar[str] = "agent_id"

    agent_id: Name
    profile: AgentProfile
    reason: str = Field(default="", description="Why, for the record.")
    requested_by: str = Field(default="", description="Who wants it; empty: not said.")
    gateway_mac: str = Field(
        default="", description="The gateway's proof that the requester may name this base model."
    )


class ReturnFeedback(Contract):
    """Make the feedback of a job that is over new data again: no version of it was deployed."""

    topic: ClassVar[Topic] = topics.COORDINATOR_COMMANDS
    key_field: ClassVar[str] = "job_id"

    job_id: UUID
    reason: str = "asked for"
    requested_by: str = Field(default="", description="Who wants it; empty: not said.")


class CancelJob(Contract):
    """Stop a job in any state."""

    topic: ClassVar[Topic] = topics.COORDINATOR_COMMANDS
    key_field: ClassVar[str] = "job_id"

    job_id: UUID
    reason: str = "asked for"
    requested_by: str = Field(default="", description="Who wants it; empty: not said.")
