"""Agents, jobs and workers, typed: one method per query."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any
from uuid import UUID

from archon_contracts.commands import ConfigureAgent
from archon_contracts.events import JobState, WorkerReported
from archon_contracts.rules.bounds import SATURATE
from archon_contracts.values import AgentProfile, ModelRef, TrainingConfig, TrainingMethod
from services.coordinator.domain import (
    AgentKey,
    ConfiguredAgent,
    Job,
    JobFacts,
    JobTrace,
    JobTransition,
)
from services.coordinator.jobs.state_machine import JobEvent
from services.coordinator.scheduling.fair_share import AGING, QueuedJob, RunningJob
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries
from shared.postgres.tenants import across_tenants


class JobStore:
    """Every job is changed under its row's lock, and only from the version that was read."""

    def __init__(self) -> None:
        self._queries = load_queries("services.coordinator")

    async def lock_agent(self, tx: Tx, key: AgentKey) -> ConfiguredAgent | None:
        """The agent as configured, locked until the transaction ends."""
        row = await self._queries.lock_agent(tx, tenant_id=key.tenant_id, agent_id=key.agent_id)
        return _configured(row) if row else None

    async def put_agent(self, tx: Tx, command: ConfigureAgent, now: datetime) -> None:
        """Insert the agent, or replace its profile."""
        key = {"tenant_id": command.tenant_id, "agent_id": command.agent_id}
        profile = command.profile.model_dump(mode="json")
        await self._queries.upsert_agent(tx, **key, profile=profile, now=now)
        await self._queries.upsert_stats(tx, **key)

    async def find_agent(self, tx: Tx, key: AgentKey) -> ConfiguredAgent | None:
        """The agent as configured."""
        row = await self._queries.find_agent(tx, tenant_id=key.tenant_id, agent_id=key.agent_id)
        return _configured(row) if row else None

    async def find_agents(
        self, tx: Tx, keys: Collection[AgentKey]
    ) -> AsyncIterator[ConfiguredAgent]:
        """Those of the agents that are configured, a part of them in memory at a time."""
        async for row in self._queries.find_agents(
            tx,
            tenant_ids=[key.tenant_id for key in keys],
            agent_ids=[key.agent_id for key in keys],
        ):
            yield _configured(row)

    async def set_deployed(
        self, tx: Tx, key: AgentKey, deployed: ModelRef, since: datetime
    ) -> None:
        """Remember what the agent runs, unless something newer is known."""
        await self._queries.set_deployed(
            tx,
            tenant_id=key.tenant_id,
            agent_id=key.agent_id,
            deployed=deployed.model_dump(mode="json"),
            since=since,
        )

    async def insert_job(self, tx: Tx, job: Job) -> bool:
        """Keep a new job; False when one of this id exists."""
        inserted = await self._queries.insert_job(
            tx,
            job_id=job.job_id,
            tenant_id=job.key.tenant_id,
            agent_id=job.key.agent_id,
            state=job.state,
            version=job.version,
            method=job.method,
            priority=job.priority,
            requested_by=job.requested_by,
            config=_explicit_fields(job.config),
            facts=job.facts.model_dump(mode="json"),
            trace_id=job.trace.trace_id,
            parent_span_id=job.trace.parent_span_id,
            job_span_id=job.trace.job_span_id,
            stage_span_id=job.trace.stage_span_id,
            now=job.created_at,
            deadline_at=job.deadline_at,
        )
        return bool(inserted)

    async def update_job(self, tx: Tx, job: Job, *, known_version: int) -> bool:
        """Write the job; False when somebody else changed it since that version was read."""
        updated = await self._queries.update_job(
            tx,
            job_id=job.job_id,
            known_version=known_version,
            state=job.state,
            version=job.version,
            attempt=job.attempt,
            dispatches=job.dispatches,
            priority=job.priority,
            config=_explicit_fields(job.config),
            facts=job.facts.model_dump(mode="json"),
            stage_span_id=job.trace.stage_span_id,
            state_since=job.state_since,
            deadline_at=job.deadline_at,
        )
        return bool(updated)

    async def lock_job(self, tx: Tx, job_id: UUID) -> Job | None:
        """The job, locked until the transaction ends."""
        row = await self._queries.lock_job(tx, job_id=job_id)
        return _job(row) if row else None

    async def count_open_jobs(self, tx: Tx, key: AgentKey) -> int:
        """How many jobs of the agent's tenant have not ended."""
        count: int = await self._queries.count_open_jobs(tx, tenant_id=key.tenant_id)
        return count

    async def find_version(self, tx: Tx, key: AgentKey, version: str) -> ModelRef | None:
        """A version that a job of the agent gave, or that is deployed."""
        found = await self._queries.find_version(
            tx, tenant_id=key.tenant_id, agent_id=key.agent_id, version=version
        )
        return ModelRef.model_validate(found) if found else None

    async def lock_next_requested(self, tx: Tx, key: AgentKey) -> Job | None:
        """The agent's oldest requested job."""
        row = await self._queries.lock_next_requested(
            tx, tenant_id=key.tenant_id, agent_id=key.agent_id
        )
        return _job(row) if row else None

    async def lock_overdue_job(self, tx: Tx, now: datetime) -> Job | None:
        """A job past its deadline; one that is locked is passed over."""
        row = await self._queries.lock_overdue_job(tx, now=now)
        return _job(row) if row else None

    async def insert_transition(
        self, tx: Tx, job: Job, *, from_state: JobState | None, event: JobEvent | None, reason: str
    ) -> None:
        """One row of history: how the job came into its present state."""
        await self._queries.insert_transition(
            tx,
            tenant_id=job.key.tenant_id,
            job_id=job.job_id,
            version=job.version,
            from_state=from_state,
            to_state=job.state,
            event=event or "opened",
            attempt=job.attempt,
            reason=reason,
            now=job.state_since,
        )

    async def transitions(self, tx: Tx, job_id: UUID) -> list[JobTransition]:
        """The states that the job entered, in order."""
        rows = self._queries.job_transitions(tx, job_id=job_id)
        return [JobTransition(JobState(row["to_state"]), row["occurred_at"]) async for row in rows]

    def across_tenants(self, tx: Tx) -> AbstractAsyncContextManager[None]:
        """See all tenants' jobs while the block runs: they share the slots."""
        return across_tenants(tx)

    async def lock_scheduler(self, tx: Tx) -> None:
        """Allocate alone until the transaction ends; no lock but the audit log's may follow."""
        await self._queries.lock_scheduler(tx)

    async def queued_jobs(self, tx: Tx, *, most: int, now: datetime) -> list[QueuedJob]:
        """Jobs that wait for a slot."""
        rows = self._queries.queued_jobs(tx, most=most, now=now, aging=AGING.total_seconds())
        return [
            QueuedJob(
                row["job_id"],
                row["tenant_id"],
                row["agent_id"],
                row["priority"],
                row["state_since"],
                row["served_at"],
                row["used_seconds"],
            )
            async for row in rows
        ]

    async def running_jobs(self, tx: Tx) -> list[RunningJob]:
        """Jobs that hold a slot."""
        rows = self._queries.running_jobs(tx)
        return [RunningJob(row["tenant_id"], row["agent_id"]) async for row in rows]

    async def lock_queued_job(self, tx: Tx, job_id: UUID) -> Job | None:
        """The job if it still waits and nobody else holds it."""
        row = await self._queries.lock_queued_job(tx, job_id=job_id)
        return _job(row) if row else None

    async def reported_slots(self, tx: Tx, service: str, since: datetime) -> list[int]:
        """The slots of each worker that reported since then."""
        rows = self._queries.reported_slots(tx, service=service, since=since)
        return [row["slots"] async for row in rows]

    async def put_worker(self, tx: Tx, report: WorkerReported, now: datetime) -> None:
        """Remember what a worker can do."""
        await self._queries.upsert_worker(
            tx,
            worker_id=report.worker_id,
            service=report.service,
            slots=report.slots,
            busy=report.busy,
            now=now,
        )


def _configured(row: Mapping[str, Any]) -> ConfiguredAgent:
    deployed = ModelRef.model_validate(row["deployed"]) if row["deployed"] else None
    key = AgentKey(row["tenant_id"], row["agent_id"])
    return ConfiguredAgent(key, _profile(row), deployed)


def _profile(row: Mapping[str, Any]) -> AgentProfile:
    # It was accepted once: a number above a bound that came later is read as the bound.
    return AgentProfile.model_validate(row["profile"], context=SATURATE)


def _explicit_fields(config: TrainingConfig) -> dict[str, Any]:
    # Only what was named: an absent value lets the agent's profile or the recipe decide.
    return config.model_dump(mode="json", exclude_unset=True)


def _job(row: Mapping[str, Any]) -> Job:
    return Job(
        job_id=row["job_id"],
        key=AgentKey(row["tenant_id"], row["agent_id"]),
        state=JobState(row["state"]),
        version=row["version"],
        attempt=row["attempt"],
        dispatches=row["dispatches"],
        method=TrainingMethod(row["method"]),
        priority=row["priority"],
        requested_by=row["requested_by"],
        config=TrainingConfig.model_validate(row["config"], context=SATURATE),
        facts=JobFacts.model_validate(row["facts"]),
        trace=JobTrace(
            row["trace_id"], row["parent_span_id"], row["job_span_id"], row["stage_span_id"]
        ),
        created_at=row["created_at"],
        state_since=row["state_since"],
        deadline_at=row["deadline_at"],
    )
