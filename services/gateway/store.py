"""The gateway's own state, and every read of its projections."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from archon_contracts.events import AgentConfiguration, FeedbackCounts, JobState
from archon_contracts.values import AgentKind, AgentProfile, ArtifactRef, TrainingMethod
from services.gateway.auth.credentials import Caller, StoredKey, parse_scopes
from services.gateway.domain import (
    AgentView,
    DatasetView,
    DeploymentView,
    FeedbackTotals,
    JobSummary,
    JobView,
    KeyView,
    Lineage,
    ModelView,
    PreparedDatasetView,
    SpanView,
    SyntheticView,
    TrainingProgressView,
    TransitionView,
    WorkerView,
    build_agent,
    estimate_eta_seconds,
    name_synthetic_dataset,
    sum_stage_seconds,
)
from services.gateway.load.list_parts import read_part
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries

Row = Mapping[str, Any]
FINAL_STATES: Final = [state.value for state in JobState if state.is_final]


class GatewayStore:
    """One method per query; never commits."""

    def __init__(self) -> None:
        self._queries = load_queries("services.gateway")

    async def add_key(
        self,
        tx: Tx,
        *,
        key_id: UUID,
        key_hash: bytes,
        caller: Caller,
        expires_at: datetime | None = None,
        created_by: UUID | None = None,
    ) -> bool:
        """Whether it is new."""
        added = await self._queries.insert_api_key(
            tx,
            id=key_id,
            key_hash=key_hash,
            tenant_id=caller.tenant_id,
            name=caller.name,
            scopes=sorted(caller.scopes),
            expires_at=expires_at,
            created_by=created_by,
            agents=to_array(caller.agents),
        )
        return bool(added)

    async def find_key(self, tx: Tx, key_hash: bytes) -> StoredKey | None:
        row = await self._queries.find_api_key(tx, key_hash=key_hash)
        if row is None:
            return None
        scopes = parse_scopes(row["scopes"])
        agents = None if row["agents"] is None else frozenset(row["agents"])
        caller = Caller(row["tenant_id"], row["name"], scopes, row["id"], row["expires_at"], agents)
        return StoredKey(caller, row["seconds_left"], row["used_today"])

    async def mark_key_used(self, tx: Tx, key_id: UUID) -> None:
        await self._queries.mark_api_key_used(tx, id=key_id)

    async def keys(
        self,
        tx: Tx,
        tenant_id: str,
        *,
        key_id: UUID | None = None,
        only: frozenset[str] | None = None,
        limit: int = 1000,
        offset: int = 0,
    ) -> list[KeyView]:
        """With `only`: those that are bound, and to these agents alone."""
        rows = self._queries.api_keys(
            tx, tenant_id=tenant_id, id=key_id, only=to_array(only), limit=limit, offset=offset
        )
        return [KeyView(**dict(row)) async for row in rows]

    async def count_keys(self, tx: Tx, tenant_id: str) -> int:
        """Valid keys."""
        count: int = await self._queries.count_api_keys(tx, tenant_id=tenant_id)
        return count

    async def revoke_key(self, tx: Tx, tenant_id: str, key_id: UUID) -> bool:
        return bool(await self._queries.revoke_api_key(tx, tenant_id=tenant_id, id=key_id))

    async def claim_request(self, tx: Tx, tenant_id: str, request_id: UUID, digest: bytes) -> bytes:
        """The digest of the first request with this id."""
        first: bytes = await self._queries.claim_request(
            tx, tenant_id=tenant_id, request_id=request_id, digest=digest
        )
        return first

    async def prune_requests(self, tx: Tx, *, keep_days: int) -> None:
        await self._queries.prune_requests(tx, keep_days=keep_days)

    async def agent_names(self, tx: Tx) -> set[tuple[str, str]]:
        return {(r["tenant_id"], r["agent_id"]) async for r in self._queries.agent_names(tx)}

    async def has_agent(self, tx: Tx, tenant_id: str, agent_id: str) -> bool:
        return bool(await self._queries.has_agent(tx, tenant_id=tenant_id, agent_id=agent_id))

    async def agent_kind(self, tx: Tx, tenant_id: str, agent_id: str) -> AgentKind | None:
        """None: no such agent."""
        kind = await self._queries.agent_kind(tx, tenant_id=tenant_id, agent_id=agent_id)
        return None if kind is None else AgentKind(kind)

    async def agents(self, tx: Tx, tenant_id: str, *, agent_id: str) -> list[AgentView]:
        """The agent; none: there is no such agent."""
        return (await self.agents_part(tx, tenant_id, agent_id=agent_id, limit=1))[0]

    async def agents_part(
        self,
        tx: Tx,
        tenant_id: str,
        *,
        agent_id: str | None = None,
        only: Collection[str] | None = None,
        limit: int,
        offset: int = 0,
    ) -> tuple[list[AgentView], bool]:
        """Agents by name; see `read_part`."""
        rows = self._queries.agents(
            tx,
            tenant_id=tenant_id,
            agent_id=agent_id,
            agents=to_array(only),
            limit=limit,
            offset=offset,
            final_states=FINAL_STATES,
        )
        found, is_cut = await read_part(rows, "profile")
        totals = self._queries.feedback_totals(tx, tenant_id=tenant_id, agent_id=agent_id)
        counters = {r["agent_id"]: FeedbackTotals(**dict(r)) async for r in totals}
        none = FeedbackTotals()
        return [build_agent(row, counters.get(row["agent_id"], none)) for row in found], is_cut

    async def parked_agents(self, tx: Tx, tenant_id: str) -> list[dict[str, Any]]:
        """The parked agents of a tenant, the first hundred by name."""
        rows = self._queries.parked_agents(tx, tenant_id=tenant_id, limit=100)
        return [dict(row) async for row in rows]

    async def add_dataset(
        self, tx: Tx, tenant_id: str, *, name: str, purpose: str, items: int, artifact: ArtifactRef
    ) -> None:
        """Does nothing when the name is taken."""
        await self._queries.insert_dataset(
            tx,
            tenant_id=tenant_id,
            name=name,
            purpose=purpose,
            items=items,
            uri=artifact.uri,
            digest=artifact.digest,
        )

    async def datasets(
        self, tx: Tx, tenant_id: str, *, name: str | None = None, limit: int = 1000, offset: int = 0
    ) -> list[DatasetView]:
        rows = self._queries.datasets(
            tx, tenant_id=tenant_id, name=name, limit=limit, offset=offset
        )
        return [DatasetView(**dict(row), artifact=_artifact(row)) async for row in rows]

    async def prepared_datasets(
        self, tx: Tx, tenant_id: str, *, only: Collection[str] | None, limit: int, offset: int = 0
    ) -> list[PreparedDatasetView]:
        rows = self._queries.prepared_datasets(
            tx, tenant_id=tenant_id, agents=to_array(only), limit=limit, offset=offset
        )
        return [PreparedDatasetView(**r["body"], prepared_at=r["prepared_at"]) async for r in rows]

    async def add_requested_job(
        self, tx: Tx, tenant_id: str, job: JobSummary, *, config: Row, requested_by: str
    ) -> None:
        """Does nothing when the job exists."""
        await self._queries.insert_requested_job(
            tx,
            job_id=job.job_id,
            tenant_id=tenant_id,
            agent_id=job.agent_id,
            method=job.method,
            dataset_name=job.dataset_name,
            config=dict(config),
            requested_by=requested_by,
            at=job.created_at,
        )

    async def jobs(
        self,
        tx: Tx,
        tenant_id: str,
        *,
        agent_id: str | None,
        only: Collection[str] | None,
        state: str | None,
        limit: int,
        offset: int = 0,
    ) -> list[JobSummary]:
        rows = self._queries.jobs(
            tx,
            tenant_id=tenant_id,
            agent_id=agent_id,
            agents=to_array(only),
            state=state,
            limit=limit,
            offset=offset,
        )
        return [JobSummary(**dict(row)) async for row in rows]

    async def find_job(
        self, tx: Tx, tenant_id: str, job_id: UUID, *, now: datetime
    ) -> JobView | None:
        row = await self._queries.find_job(tx, tenant_id=tenant_id, job_id=job_id)
        if row is None:
            return None
        steps = self._queries.transitions(tx, job_id=job_id)
        history = [TransitionView(**dict(step)) async for step in steps]
        return JobView(
            **dict(row),
            history=history,
            progress=_progress(row),
            dataset=row["prepared"],
            trigger=row["window_trigger"],
            returned=row["feedback_returned"],
            stage_seconds=sum_stage_seconds(history, now),
        )

    async def open_jobs_by_state(self, tx: Tx, tenant_id: str) -> dict[str, int]:
        rows = self._queries.open_jobs_by_state(tx, tenant_id=tenant_id, final_states=FINAL_STATES)
        return {row["state"]: row["jobs"] async for row in rows}

    async def count_open_jobs(self, tx: Tx, tenant_id: str) -> int:
        """How many jobs of the tenant have not ended."""
        count: int = await self._queries.count_open_jobs(tx, tenant_id=tenant_id)
        return count

    async def count_open_synthetic(
        self, tx: Tx, tenant_id: str, except_id: UUID, since: datetime
    ) -> int:
        """Requests for synthetic data since then that have no result, but for one."""
        count: int = await self._queries.count_open_synthetic(
            tx, tenant_id=tenant_id, except_id=except_id, since=since
        )
        return count

    async def models(
        self, tx: Tx, tenant_id: str, agent_id: str, *, version: str | None = None
    ) -> list[ModelView]:
        rows = self._queries.models(
            tx, tenant_id=tenant_id, agent_id=agent_id, version=version, limit=1000, offset=0
        )
        return [ModelView(**dict(row), lineage=Lineage(**dict(row))) async for row in rows]

    async def configuration(
        self, tx: Tx, tenant_id: str, agent_id: str
    ) -> AgentConfiguration | None:
        found = await self._queries.configuration(tx, tenant_id=tenant_id, agent_id=agent_id)
        return AgentConfiguration.model_validate(found) if found is not None else None

    async def deployments(
        self,
        tx: Tx,
        tenant_id: str,
        agent_id: str,
        *,
        until: datetime | None = None,
        limit: int,
        offset: int = 0,
    ) -> list[DeploymentView]:
        rows = self._queries.deployments(
            tx, tenant_id=tenant_id, agent_id=agent_id, until=until, limit=limit, offset=offset
        )
        return [DeploymentView(**dict(row)) async for row in rows]

    async def deployed_version(self, tx: Tx, tenant_id: str, agent_id: str) -> str | None:
        place = {"tenant_id": tenant_id, "agent_id": agent_id}
        version: str | None = await self._queries.deployed_version(tx, **place)
        return version

    async def add_synthetic_request(
        self, tx: Tx, tenant_id: str, request_id: UUID, request: Row, at: datetime
    ) -> None:
        await self._queries.save_synthetic_request(
            tx,
            request_id=request_id,
            tenant_id=tenant_id,
            agent_id=request["agent_id"],
            request=dict(request),
            at=at,
        )

    async def find_synthetic_request(
        self, tx: Tx, tenant_id: str, request_id: UUID
    ) -> SyntheticView | None:
        row = await self._queries.find_synthetic_request(
            tx, tenant_id=tenant_id, request_id=request_id
        )
        if row is None:
            return None
        result = row["result"] or row["cancelled"] or {}
        if row["result"]:
            state = "ready"
        elif row["cancelled"]:
            state = "cancelled"
        else:
            state = "running" if row["progress"] else "requested"
        dataset = name_synthetic_dataset(request_id) if result.get("items") else None
        return SyntheticView(**{**dict(row), **result}, state=state, dataset=dataset)

    async def agent_profile(self, tx: Tx, tenant_id: str, agent_id: str) -> AgentProfile | None:
        found = await self._queries.agent_profile(tx, tenant_id=tenant_id, agent_id=agent_id)
        return None if found is None else AgentProfile.model_validate(found)

    async def workers(self, tx: Tx, *, seen_after: datetime) -> list[WorkerView]:
        rows = self._queries.workers(tx, seen_after=seen_after)
        return [WorkerView(**dict(row)) async for row in rows]

    async def announced_methods(
        self, tx: Tx, *, seen_after: datetime
    ) -> dict[AgentKind, set[TrainingMethod]]:
        """What the trainers that reported lately have recipes for; empty: none reported."""
        found: dict[AgentKind, set[TrainingMethod]] = {}
        async for row in self._queries.announced_methods(tx, seen_after=seen_after):
            found.setdefault(AgentKind(row["kind"]), set()).add(TrainingMethod(row["method"]))
        return found

    async def feedback_totals(self, tx: Tx, tenant_id: str) -> dict[str, int]:
        """Stored events of all agents of a tenant, by kind."""
        rows = self._queries.feedback_totals(tx, tenant_id=tenant_id, agent_id=None)
        totals = {"feedback": 0, "corrected": 0, "rated": 0, "interactions": 0}
        async for row in rows:
            for name in totals:
                totals[name] += row[name]
        return totals

    async def feedback_hours(
        self, tx: Tx, tenant_id: str, agent_id: str, since: datetime
    ) -> list[FeedbackCounts]:
        rows = self._queries.feedback_hours(tx, tenant_id=tenant_id, agent_id=agent_id, since=since)
        return [FeedbackCounts(**dict(row)) async for row in rows]

    async def spans(self, tx: Tx, trace_id: str) -> list[SpanView]:
        rows = self._queries.spans(tx, trace_id=trace_id)
        return [SpanView(**dict(row)) async for row in rows]

    async def outbox_age_seconds(self, tx: Tx) -> float:
        age: float = await self._queries.outbox_age_seconds(tx)
        return round(age, 3)


def to_array(agents: Collection[str] | None) -> list[str] | None:
    """The agents as a query's array; null: no restriction."""
    return None if agents is None else sorted(agents)


def _artifact(row: Row) -> ArtifactRef:
    return ArtifactRef(uri=row["uri"], digest=row["digest"])


def _progress(row: Row) -> TrainingProgressView | None:
    if row["training_attempt"] is None:
        return None
    eta = None
    if row["total_steps"] and row["first_step_at"] and row["recorded_at"]:
        eta = estimate_eta_seconds(
            step=row["step"],
            resumed_from=row["resumed_from_step"],
            total=row["total_steps"],
            started_at=row["first_step_at"],
            recorded_at=row["recorded_at"],
        )
    return TrainingProgressView(
        attempt=row["training_attempt"],
        step=row["step"],
        total_steps=row["total_steps"],
        loss=row["loss"],
        eta_seconds=eta,
    )
