"""What workers can do and are doing."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from archon_contracts import topics
from archon_contracts.base import Contract, Identifier, ValueObject
from archon_contracts.topics import Topic
from archon_contracts.values import AgentKind, TrainingMethod


class Capability(ValueObject):
    """A kind of agent and a training method for which a worker has a recipe."""

    kind: AgentKind
    method: TrainingMethod


class WorkerReported(Contract):
    """A worker's capacity and load; sent when they change and at a slow beat."""

    topic: ClassVar[Topic] = topics.WORKERS
    key_field: ClassVar[str] = "worker_id"

    worker_id: Identifier
    service: str
    slots: int = Field(ge=0, description="Runs that it can do at once.")
    busy: int = Field(ge=0)
    devices: tuple[str, ...] = Field(default=(), description="Such as cpu or cuda:0.")
    memory_mb: float = Field(default=0, ge=0, description="Memory of the machine.")
    capabilities: tuple[Capability, ...] = Field(
        default=(), description="What it can train; empty: not announced."
    )
