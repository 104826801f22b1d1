"""Events of agents."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from pydantic import Field

from archon_contracts import topics
from archon_contracts.base import Contract, Name
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
