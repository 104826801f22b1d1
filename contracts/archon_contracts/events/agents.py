"""Events of agents."""

from __future__ import annotations

from typing import ClassVar

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
