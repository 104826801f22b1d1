"""What the coordinator's use cases need of stores; each has a fake that passes the same tests."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from archon_contracts.commands import ConfigureAgent
from archon_contracts.values import ModelRef
from services.coordinator.domain import AgentKey, ConfiguredAgent, Job
from shared.postgres.database import Tx
from shared.work.queue import Lease


class AgentRecords(Protocol):
    """Agents as configured, and what they run."""

    async def lock_agent(self, tx: Tx, key: AgentKey) -> ConfiguredAgent | None: ...

    async def put_agent(self, tx: Tx, command: ConfigureAgent, now: datetime) -> None: ...

    async def set_deployed(
        self, tx: Tx, key: AgentKey, deployed: ModelRef, since: datetime
    ) -> None: ...


class JobRecords(Protocol):
    """What an answer changes: its job, and what the agent runs."""

    async def lock_job(self, tx: Tx, job_id: UUID) -> Job | None: ...

    async def find_agent(self, tx: Tx, key: AgentKey) -> ConfiguredAgent | None: ...

    async def set_deployed(
        self, tx: Tx, key: AgentKey, deployed: ModelRef, since: datetime
    ) -> None: ...


class OverdueJobs(Protocol):
    """Jobs by their deadline."""

    async def lock_overdue_job(self, tx: Tx, now: datetime) -> Job | None: ...

    async def lock_job(self, tx: Tx, job_id: UUID) -> Job | None: ...


class GuardedQueue(Protocol):
    """Transactions that hold only while the lease does."""

    def guarded(self, lease: Lease) -> AbstractAsyncContextManager[Tx]: ...
