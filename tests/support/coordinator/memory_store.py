"""Agents, jobs and slots in memory."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from archon_contracts.commands import ConfigureAgent
from archon_contracts.events import JobState, WorkerReported
from archon_contracts.values import ModelRef
from services.coordinator.domain import (
    AgentKey,
    ConfiguredAgent,
    Job,
    JobTransition,
)
from services.coordinator.feedback.stats import (
    FeedbackStats,
)
from services.coordinator.jobs.state_machine import JobEvent
from services.coordinator.scheduling.fair_share import QueuedJob, RunningJob, aged


class MemoryStore:
    """Agents, jobs and slots. Passes `tests/contract/coordinator`."""

    def __init__(self) -> None:
        self.agents: dict[AgentKey, ConfiguredAgent] = {}
        self.deployed_since: dict[AgentKey, datetime] = {}
        self.jobs: dict[UUID, Job] = {}
        self.history: dict[UUID, list[JobTransition]] = {}
        self.events: list[tuple[UUID, JobState | None, JobEvent | None, JobState]] = []
        self.workers: dict[str, tuple[WorkerReported, datetime]] = {}
        self.stats: dict[AgentKey, FeedbackStats] = {}
        self.served_at: dict[str, datetime] = {}

    async def lock_agent(self, _tx: object, key: AgentKey) -> ConfiguredAgent | None:
        return self.agents.get(key)

    async def put_agent(self, _tx: object, command: ConfigureAgent, _now: datetime) -> None:
        key = AgentKey(command.tenant_id, command.agent_id)
        deployed = self.agents[key].deployed if key in self.agents else None
        self.agents[key] = ConfiguredAgent(key, command.profile, deployed)
        stats = self.stats.get(key)
        revision = stats.profile_revision + 1 if stats else 1
        stats = stats or FeedbackStats(tenant_id=key.tenant_id, agent_id=key.agent_id)
        self.stats[key] = replace(stats, profile_revision=revision)

    async def find_agent(self, _tx: object, key: AgentKey) -> ConfiguredAgent | None:
        return self.agents.get(key)

    async def find_agents(
        self, _tx: object, keys: Collection[AgentKey]
    ) -> AsyncIterator[ConfiguredAgent]:
        for key in keys:
            if key in self.agents:
                yield self.agents[key]

    async def set_deployed(
        self, _tx: object, key: AgentKey, deployed: ModelRef, since: datetime
    ) -> None:
        """An older fact never replaces a newer one."""
        if key in self.agents and self.deployed_since.get(key, since) <= since:
            self.agents[key] = replace(self.agents[key], deployed=deployed)
            self.deployed_since[key] = since

    async def insert_job(self, _tx: object, job: Job) -> bool:
        if job.job_id in self.jobs:
            return False
        self.jobs[job.job_id] = job
        return True

    async def update_job(self, _tx: object, job: Job, *, known_version: int) -> bool:
        if self.jobs[job.job_id].version != known_version:
            return False
        self.jobs[job.job_id] = job
        return True

    async def insert_transition(
        self,
        _tx: object,
        job: Job,
        *,
        from_state: JobState | None,
        event: JobEvent | None,
        reason: str,
    ) -> None:
        self.history.setdefault(job.job_id, []).append(JobTransition(job.state, job.state_since))
        self.events.append((job.job_id, from_state, event, job.state))
        if job.state is JobState.TRAINING:
            self.served_at[job.key.tenant_id] = job.state_since

    async def transitions(self, _tx: object, job_id: UUID) -> list[JobTransition]:
        return list(self.history.get(job_id, []))

    async def lock_job(self, _tx: object, job_id: UUID) -> Job | None:
        return self.jobs.get(job_id)

    async def count_open_jobs(self, _tx: object, key: AgentKey) -> int:
        return sum(
            job.key.tenant_id == key.tenant_id and not job.state.is_final
            for job in self.jobs.values()
        )

    async def find_version(self, _tx: object, key: AgentKey, version: str) -> ModelRef | None:
        models = [job.facts.model for job in self.jobs.values() if job.key == key]
        models += [self.agents[key].deployed] if key in self.agents else []
        return next((each for each in models if each and each.version == version), None)

    async def lock_next_requested(self, _tx: object, key: AgentKey) -> Job | None:
        requested = [job for job in self._in(JobState.REQUESTED) if job.key == key]
        return min(requested, key=lambda job: (job.created_at, job.job_id), default=None)

    def across_tenants(self, _tx: object) -> contextlib.AbstractAsyncContextManager[None]:
        """All tenants are here."""
        return contextlib.nullcontext()

    async def lock_scheduler(self, _tx: object) -> None:
        """Nobody else is here."""

    async def lock_overdue_job(self, _tx: object, now: datetime) -> Job | None:
        due = [job for job in self.jobs.values() if job.deadline_at and job.deadline_at <= now]
        return min(due, key=lambda job: job.deadline_at or now, default=None)

    async def queued_jobs(self, _tx: object, *, most: int, now: datetime) -> list[QueuedJob]:
        """The first of each tenant, then the second of each, and so on."""
        by_tenant: dict[str, list[Job]] = {}
        for job in sorted(
            self._in(JobState.QUEUED),
            key=lambda job: (aged(job.state_since, job.priority), job.job_id),
        ):
            by_tenant.setdefault(job.key.tenant_id, []).append(job)
        placed = [
            (place, self.served_at.get(tenant), job)
            for tenant, jobs in by_tenant.items()
            for place, job in enumerate(jobs)
        ]
        placed.sort(
            key=lambda each: (
                each[0],
                each[1] is not None,
                each[1] or each[2].state_since,
                each[2].state_since,
                each[2].job_id,
            )
        )
        return [
            QueuedJob(
                job.job_id,
                *job.key,
                job.priority,
                job.state_since,
                served,
                self._used_seconds(job.key.tenant_id, now),
            )
            for _, served, job in placed[:most]
        ]

    def _used_seconds(self, tenant: str, now: datetime) -> float:
        """Of slots, in the last hour."""
        return sum(
            max(
                0.0,
                (
                    (after[0].occurred_at if after else now)
                    - max(began.occurred_at, now - timedelta(hours=1))
                ).total_seconds(),
            )
            for job_id, history in self.history.items()
            if self.jobs[job_id].key.tenant_id == tenant
            for place, began in enumerate(history)
            if began.to_state is JobState.TRAINING
            for after in [history[place + 1 : place + 2]]
        )

    async def running_jobs(self, _tx: object) -> list[RunningJob]:
        return [RunningJob(*job.key) for job in self._in(JobState.TRAINING) if not job.is_update]

    async def lock_queued_job(self, _tx: object, job_id: UUID) -> Job | None:
        job = self.jobs.get(job_id)
        return job if job and job.state is JobState.QUEUED else None

    async def reported_slots(self, _tx: object, service: str, since: datetime) -> list[int]:
        return [
            report.slots
            for report, reported_at in self.workers.values()
            if report.service == service and reported_at > since
        ]

    async def put_worker(self, _tx: object, report: WorkerReported, now: datetime) -> None:
        self.workers[report.worker_id] = (report, now)

    def _in(self, state: JobState) -> list[Job]:
        return [job for job in self.jobs.values() if job.state is state]
