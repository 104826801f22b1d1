"""Jobs: request, follow and cancel trainings."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request

from archon_contracts.base import Name
from archon_contracts.events import JobState
from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.domain import JobAccepted, JobSummary, JobView, MetricView, TraceView
from services.gateway.http.field_limit import FieldLimitedRoute
from services.gateway.http.numbers import WholeNumber
from services.gateway.http.pages import PAGE, Page, PageRequest
from services.gateway.requests import CancelRequest, JobRequest, ReturnRequest
from services.gateway.routes.dependencies import GatewayApi, build_accepted
from services.gateway.views.metrics import CurveView, SeriesView

MetricNames = Annotated[
    list[str] | None,
    Query(max_length=100, description="A metric, may be repeated; absent: all of them."),
]


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of jobs."""
    router = APIRouter(route_class=FieldLimitedRoute, tags=["jobs"])
    _add_writes(router, api)
    _add_reads(router, api)
    _add_metrics(router, api)
    return router


def _add_writes(router: APIRouter, api: GatewayApi) -> None:
    writer = api.require_command_caller(Scope.WRITE, bound=BoundKeys.APPLIED)

    @router.post("/jobs", status_code=202)
    async def request_training(
        body: JobRequest, request: Request, caller: Caller = writer
    ) -> JobAccepted:
        """Start a training on a dataset, or on all unused feedback."""
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            identity = await api.idempotency.identify(tx, caller, request)
            return await api.service.request_training(tx, identity, body)

    @router.post("/jobs/{job_id}/cancel", status_code=202)
    async def cancel_job(
        job_id: UUID, request: Request, body: CancelRequest | None = None, caller: Caller = writer
    ) -> dict[str, str]:
        """Cancel a job in any state that is not final."""
        reason = (body or CancelRequest()).reason
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            identity = await api.idempotency.identify(tx, caller, request)
            await api.service.cancel_job(tx, identity, job_id, reason)
        return build_accepted(job_id=job_id)

    @router.post("/jobs/{job_id}/return-feedback", status_code=202)
    async def return_feedback(
        job_id: UUID, request: Request, body: ReturnRequest | None = None, caller: Caller = writer
    ) -> dict[str, str]:
        """Make the feedback of a job without a deployed version new data again."""
        reason = (body or ReturnRequest()).reason
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            identity = await api.idempotency.identify(tx, caller, request)
            await api.service.return_feedback(tx, identity, job_id, reason)
        return build_accepted(job_id=job_id)


def _add_reads(router: APIRouter, api: GatewayApi) -> None:
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.get("/jobs")
    async def list_jobs(
        agent_id: Annotated[Name | None, Query()] = None,
        state: Annotated[JobState | None, Query()] = None,
        page: PageRequest = PAGE,
        caller: Caller = reader,
    ) -> Page[JobSummary]:
        """Jobs, newest first."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            jobs = await api.queries.store.jobs(
                tx,
                caller.tenant_id,
                agent_id=agent_id,
                only=caller.agents,
                state=state,
                limit=page.rows,
                offset=page.offset,
            )
        return page.build(jobs)

    @router.get("/jobs/{job_id}")
    async def show_job(job_id: UUID, caller: Caller = reader) -> JobView:
        """A job with its history, progress, dataset and evaluation."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            return await api.queries.job(tx, caller, job_id)

    @router.get("/jobs/{job_id}/trace")
    async def show_trace(job_id: UUID, caller: Caller = reader) -> TraceView:
        """Every span of the job's trace."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            return await api.queries.trace(tx, caller, job_id)


def _add_metrics(router: APIRouter, api: GatewayApi) -> None:
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.get("/jobs/{job_id}/metrics")
    async def list_metrics(
        job_id: UUID, name: MetricNames = None, caller: Caller = reader
    ) -> dict[str, list[MetricView]]:
        """The metric points of the job's trainings as they came, 100,000 at most."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            return {"items": await api.metrics.points(tx, caller, job_id, name)}

    @router.get("/jobs/{job_id}/series")
    async def list_series(job_id: UUID, caller: Caller = reader) -> dict[str, list[SeriesView]]:
        """Each metric of each attempt: how many points, its extremes and its newest value."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            return {"items": await api.metrics.series(tx, caller, job_id)}

    @router.get("/jobs/{job_id}/curves")
    async def list_curves(
        job_id: UUID,
        name: MetricNames = None,
        points: Annotated[
            WholeNumber, Query(ge=2, le=10_000, description="Most points of one curve.")
        ] = 1_000,
        caller: Caller = reader,
    ) -> dict[str, list[CurveView]]:
        """Each metric of each attempt by step; of a long one the extremes of equal ranges."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            return {"items": await api.metrics.curves(tx, caller, job_id, name, points)}
