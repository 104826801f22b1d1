"""The gateway's store in memory, as far as the service uses it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from archon_contracts.events import Capability, JobState
from archon_contracts.values import AgentKind, AgentProfile, ArtifactRef, TrainingMethod
from services.gateway.domain import DatasetView, JobSummary, JobView, ModelView, SyntheticView


class InMemoryServiceStore:
    """Passes the suite of the real store (tests/contract/gateway/test_service_store.py)."""

    def __init__(self) -> None:
        self.requested: dict[UUID, JobView] = {}
        self.synthetic: dict[UUID, Mapping[str, Any]] = {}
        self._synthetic_at: dict[UUID, tuple[Mapping[str, Any], datetime]] = {}
        self._agents: dict[tuple[str, str], AgentKind] = {}
        self._datasets: dict[tuple[str, str], DatasetView] = {}
        self._jobs: dict[tuple[str, UUID], JobView] = {}
        self._models: list[tuple[str, ModelView]] = []
        self._workers: list[tuple[datetime, Collection[Capability]]] = []

    def add_agent(self, tenant_id: str, agent_id: str, kind: AgentKind) -> None:
        """As AgentConfigured is projected."""
        self._agents[tenant_id, agent_id] = kind

    def add_job(self, tenant_id: str, job_id: UUID, state: JobState, at: datetime) -> None:
        """As JobStateChanged is projected."""
        self._jobs[tenant_id, job_id] = JobView(
            job_id=job_id,
            agent_id="a",
            method="supervised",
            state=state,
            attempt=1,
            reason="",
            trace_id="",
            created_at=at,
            history=[],
            stage_seconds={},
        )

    def change_job(self, tenant_id: str, job_id: UUID, **fields: Any) -> None:
        """As later events are projected."""
        job = self._jobs[tenant_id, job_id]
        self._jobs[tenant_id, job_id] = job.model_copy(update=fields)

    def add_models(self, tenant_id: str, models: Sequence[ModelView]) -> None:
        """As the registry's events are projected."""
        self._models += [(tenant_id, model) for model in models]

    def add_worker(self, capabilities: Collection[Capability], at: datetime) -> None:
        """As WorkerReported is projected."""
        self._workers.append((at, capabilities))

    async def agent_kind(self, _tx: object, tenant_id: str, agent_id: str) -> AgentKind | None:
        return self._agents.get((tenant_id, agent_id))

    async def announced_methods(
        self, _tx: object, *, seen_after: datetime
    ) -> dict[AgentKind, set[TrainingMethod]]:
        found: dict[AgentKind, set[TrainingMethod]] = {}
        for at, capabilities in self._workers:
            if at > seen_after:
                for each in capabilities:
                    found.setdefault(each.kind, set()).add(each.method)
        return found

    async def add_dataset(
        self,
        _tx: object,
        tenant_id: str,
        *,
        name: str,
        purpose: str,
        items: int,
        artifact: ArtifactRef,
    ) -> None:
        view = DatasetView(name=name, purpose=purpose, items=items, artifact=artifact)
        self._datasets.setdefault((tenant_id, name), view)

    async def datasets(
        self, _tx: object, tenant_id: str, *, name: str | None = None, limit: int = 1000
    ) -> list[DatasetView]:
        known = [(owner, view) for (owner, _), view in self._datasets.items()]
        found = [v for owner, v in known if owner == tenant_id and name in (None, v.name)]
        return found[:limit]

    async def add_requested_job(
        self,
        _tx: object,
        tenant_id: str,
        job: JobSummary,
        *,
        config: Mapping[str, Any],
        requested_by: str,
    ) -> None:
        extra = {"config": dict(config), "requested_by": requested_by}
        view = JobView(**job.model_dump(), **extra, history=[], stage_seconds={})
        self.requested.setdefault(job.job_id, view)
        self._jobs.setdefault((tenant_id, job.job_id), view)

    async def find_job(
        self, _tx: object, tenant_id: str, job_id: UUID, *, now: datetime
    ) -> JobView | None:
        return self._jobs.get((tenant_id, job_id))

    async def count_open_jobs(self, _tx: object, tenant_id: str) -> int:
        return sum(
            owner == tenant_id and not job.state.is_final for (owner, _), job in self._jobs.items()
        )

    async def agent_profile(
        self, _tx: object, tenant_id: str, agent_id: str
    ) -> AgentProfile | None:
        kind = self._agents.get((tenant_id, agent_id))
        return AgentProfile(agent_id=agent_id, kind=kind, base_model="pypi:m") if kind else None

    async def find_synthetic_request(
        self, _tx: object, tenant_id: str, request_id: UUID
    ) -> SyntheticView | None:
        request, at = self._synthetic_at.get(request_id, ({}, None))
        if at is None or request["tenant_id"] != tenant_id:
            return None
        return SyntheticView(
            request_id=request_id,
            agent_id=request["agent_id"],
            state="requested",
            request=dict(request),
            requested_at=at,
        )

    async def count_open_synthetic(
        self, _tx: object, tenant_id: str, except_id: UUID, since: datetime
    ) -> int:
        return sum(
            request["tenant_id"] == tenant_id and at > since and request_id != except_id
            for request_id, (request, at) in self._synthetic_at.items()
        )

    async def models(
        self, _tx: object, tenant_id: str, agent_id: str, *, version: str | None = None
    ) -> list[ModelView]:
        found = [m for owner, m in self._models if owner == tenant_id and m.agent_id == agent_id]
        return [model for model in found if version in (None, model.version)]

    async def add_synthetic_request(
        self,
        _tx: object,
        tenant_id: str,
        request_id: UUID,
        request: Mapping[str, Any],
        at: datetime,
    ) -> None:
        self.synthetic.setdefault(request_id, request)
        self._synthetic_at.setdefault(request_id, (request, at))
