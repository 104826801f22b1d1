"""Reads over several tables, for routes."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from archon_contracts.events import AgentConfiguration
from services.gateway.auth.agent_binding import hide_other_agents
from services.gateway.auth.credentials import Caller
from services.gateway.dead_letters.store import DeadLetterStore
from services.gateway.domain import (
    WORKER_TIMEOUT,
    AgentView,
    DatasetView,
    DeploymentView,
    JobView,
    ModelView,
    SyntheticView,
    TraceView,
    build_trace,
    synthetic_request_of,
)
from services.gateway.errors import NotFound, NothingDeployed
from services.gateway.store import GatewayStore
from shared.ports import Clock
from shared.postgres.database import Tx


class QueryService:
    """Reads of one tenant's resources; a missing one raises NotFound. `tx` is only read from."""

    def __init__(self, store: GatewayStore, letters: DeadLetterStore, clock: Clock) -> None:
        self.store = store
        self._letters = letters
        self._clock = clock

    async def agent(self, tx: Tx, tenant_id: str, agent_id: str) -> AgentView:
        """An agent."""
        found = await self.store.agents(tx, tenant_id, agent_id=agent_id)
        if not found:
            raise NotFound("agent", agent_id)
        return found[0]

    async def require_agent(self, tx: Tx, tenant_id: str, agent_id: str) -> None:
        """Raises NotFound where the tenant has no such agent."""
        if not await self.store.has_agent(tx, tenant_id, agent_id):
            raise NotFound("agent", agent_id)

    async def dataset(self, tx: Tx, caller: Caller, name: str) -> DatasetView:
        """An uploaded dataset; of one that was generated a bound key sees its own agents' alone."""
        found = await self.store.datasets(tx, caller.tenant_id, name=name)
        if not found:
            raise NotFound("dataset", name)
        if caller.agents is not None and (request_id := synthetic_request_of(name)):
            await self.synthetic(tx, caller, request_id)
        return found[0]

    async def job(self, tx: Tx, caller: Caller, job_id: UUID) -> JobView:
        """A job with its history, progress and results."""
        found = await self.store.find_job(tx, caller.tenant_id, job_id, now=self._clock.now())
        if found is None:
            raise NotFound("job", job_id)
        hide_other_agents(caller, found.agent_id, "job", job_id)
        return found

    async def trace(self, tx: Tx, caller: Caller, job_id: UUID) -> TraceView:
        """The spans of a job's trace; none while the job has no trace."""
        job = await self.job(tx, caller, job_id)
        spans = await self.store.spans(tx, job.trace_id) if job.trace_id else []
        return build_trace(job.trace_id, spans)

    async def model(self, tx: Tx, tenant_id: str, agent_id: str, version: str) -> ModelView:
        """A version."""
        found = await self.store.models(tx, tenant_id, agent_id, version=version)
        if not found:
            raise NotFound(f"model version of agent {agent_id}", version)
        return found[0]

    async def deployments(
        self, tx: Tx, tenant_id: str, agent_id: str, *, limit: int, offset: int
    ) -> list[DeploymentView]:
        """The changes of an agent's deployed version, newest first."""
        await self.require_agent(tx, tenant_id, agent_id)
        return await self.store.deployments(tx, tenant_id, agent_id, limit=limit, offset=offset)

    async def configuration(self, tx: Tx, tenant_id: str, agent_id: str) -> AgentConfiguration:
        """What an agent runs now."""
        await self.require_agent(tx, tenant_id, agent_id)
        found = await self.store.configuration(tx, tenant_id, agent_id)
        if found is None:
            raise NothingDeployed(agent_id, None)
        return found

    async def deployed_at(
        self, tx: Tx, tenant_id: str, agent_id: str, moment: datetime | None
    ) -> DeploymentView:
        """The change that deployed what the agent answered with at the moment; None: the last."""
        await self.require_agent(tx, tenant_id, agent_id)
        found = await self.store.deployments(tx, tenant_id, agent_id, until=moment, limit=1)
        if not found:
            raise NothingDeployed(agent_id, moment)
        return found[0]

    async def run_of_version(self, tx: Tx, caller: Caller, agent_id: str, version: str) -> JobView:
        """The job that gave a version."""
        model = await self.model(tx, caller.tenant_id, agent_id, version)
        if model.lineage.job_id is None:
            # Deployed, but its registration has not arrived here yet.
            raise NotFound(f"run of a version of agent {agent_id}", version)
        return await self.job(tx, caller, model.lineage.job_id)

    async def synthetic(self, tx: Tx, caller: Caller, request_id: UUID) -> SyntheticView:
        """A request for synthetic data."""
        found = await self.store.find_synthetic_request(tx, caller.tenant_id, request_id)
        if found is None:
            raise NotFound("request for synthetic data", request_id)
        hide_other_agents(caller, found.agent_id, "request for synthetic data", request_id)
        return found

    async def status(self, tx: Tx, tenant_id: str) -> dict[str, Any]:
        """A tenant's stored feedback, open jobs and parked agents."""
        agents = await self.store.parked_agents(tx, tenant_id)
        return {
            "parked_agents": agents,
            "feedback_totals": await self.store.feedback_totals(tx, tenant_id),
            "open_jobs": await self.store.open_jobs_by_state(tx, tenant_id),
        }

    async def system_status(self, tx: Tx) -> dict[str, Any]:
        """Workers, dead letters and outbox age of all tenants, for the operator."""
        workers = await self.store.workers(tx, seen_after=self._clock.now() - WORKER_TIMEOUT)
        return {
            "workers": [worker.model_dump(mode="json") for worker in workers],
            "dead_letters": await self._letters.count_unreplayed(tx),
            "refused_audit_entries": await self._letters.count_refused_audit_entries(tx),
            "outbox_age_seconds": await self.store.outbox_age_seconds(tx),
        }
