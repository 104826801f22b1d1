"""Reports of runs, as JSON and as a page: by version, and by job where there is no version."""

from __future__ import annotations

import asyncio
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from archon_contracts.formats import RunReport
from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.http.field_limit import FieldLimitedRoute
from services.gateway.reports.page import HEADER_POLICY, render_page
from services.gateway.routes.dependencies import AgentId, GatewayApi, Version


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of reports."""
    router = APIRouter(route_class=FieldLimitedRoute, tags=["reports"])
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.get("/agents/{agent_id}/models/{version}/report")
    async def show_report(
        agent_id: AgentId, version: Version, caller: Caller = reader
    ) -> RunReport:
        """What a version changed and why."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            job = await api.queries.run_of_version(tx, caller, agent_id, version)
            points = await api.metrics.samples(tx, job)
        return await api.reports.build(job, points)

    @router.get("/agents/{agent_id}/models/{version}/report.html", response_class=HTMLResponse)
    async def show_report_page(
        agent_id: AgentId, version: Version, caller: Caller = reader
    ) -> HTMLResponse:
        """The same report as one page, without any external request."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            job = await api.queries.run_of_version(tx, caller, agent_id, version)
            points = await api.metrics.samples(tx, job)
        return await _page(await api.reports.build(job, points))

    @router.get("/jobs/{job_id}/report")
    async def show_job_report(job_id: UUID, caller: Caller = reader) -> RunReport:
        """The report of a job's run, also of one that gave no version."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            job = await api.queries.job(tx, caller, job_id)
            points = await api.metrics.samples(tx, job)
        return await api.reports.build(job, points)

    @router.get("/jobs/{job_id}/report.html", response_class=HTMLResponse)
    async def show_job_report_page(job_id: UUID, caller: Caller = reader) -> HTMLResponse:
        """The same report as one page, without any external request."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            job = await api.queries.job(tx, caller, job_id)
            points = await api.metrics.samples(tx, job)
        return await _page(await api.reports.build(job, points))

    return router


async def _page(report: RunReport) -> HTMLResponse:
    # In a thread: rendering up to two hundred rows is CPU work, and others wait for answers.
    page = await asyncio.to_thread(render_page, report)
    return HTMLResponse(page, headers={"content-security-policy": HEADER_POLICY})
