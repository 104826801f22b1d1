"""What jobs need of stores and of the shared mechanism."""

from __future__ import annotations

from typing import Any, Protocol
from uuid import UUID

from archon_contracts.base import Contract
from archon_contracts.events import JobState
from services.coordinator.domain import AgentKey, ConfiguredAgent, Job, JobTransition
from services.coordinator.jobs.spans import CompletedSpan
from services.coordinator.jobs.state_machine import JobEvent
from shared.audit import AuditEntry
from shared.messaging.messages import Cause
from shared.postgres.database import Tx


class HasJobId(Protocol):
    """A message that names a job."""

    @property
    def tenant_id(self) -> str: ...

    @property
    def job_id(self) -> UUID | None: ...


class LockedJobs(Protocol):
    """Jobs, to be locked."""

    async def lock_job(self, tx: Tx, job_id: UUID) -> Job | None: ...


class TenantJobs(LockedJobs, Protocol):
    """Jobs, to be locked, and counted by tenant."""

    async def count_open_jobs(self, tx: Tx, key: AgentKey) -> int: ...


class JobHistory(Protocol):
    """Jobs and their history."""

    async def insert_job(self, tx: Tx, job: Job) -> bool: ...

    async def update_job(self, tx: Tx, job: Job, *, known_version: int) -> bool: ...

    async def insert_transition(
        self, tx: Tx, job: Job, *, from_state: JobState | None, event: JobEvent | None, reason: str
    ) -> None: ...

    async def transitions(self, tx: Tx, job_id: UUID) -> list[JobTransition]: ...


class ConfiguredAgents(Protocol):
    """Agents as configured."""

    async def find_agent(self, tx: Tx, key: AgentKey) -> ConfiguredAgent | None: ...


class Outbox(Protocol):
    """Queues messages in the caller's transaction."""

    async def append(self, tx: Tx, body: Contract, *, cause: Cause, part: str = "") -> UUID: ...


class AuditLog(Protocol):
    """Records who did what; the last call of a use case."""

    async def append(self, tx: Tx, entry: AuditEntry, *, cause: Cause) -> None: ...


class WorkQueue(Protocol):
    """Queues work that outlives a message, in the caller's transaction."""

    async def enqueue(
        self, tx: Tx, *, kind: str, key: str, payload: dict[str, Any], cause: Cause
    ) -> UUID: ...

    async def find_last_error(self, tx: Tx, *, kind: str, key: str) -> str | None: ...


class Spans(Protocol):
    """Keeps finished spans in the caller's transaction."""

    async def write(self, tx: Tx, span: CompletedSpan) -> None: ...
