"""Jobs: the list, and one job with its stages, curves, trace, gate and lineage."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import RedirectResponse, Response

from archon_contracts.base import Name
from archon_contracts.events import JobState
from archon_contracts.formats import EvaluationChanges, TopicChange
from archon_contracts.identifiers import new_id
from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.dashboard.answers import read_answers
from services.gateway.dashboard.figures.drawings import draw_charts, draw_waterfall
from services.gateway.dashboard.figures.trials import list_trials, without_search
from services.gateway.dashboard.forms import read_body, read_form, with_idempotency_key
from services.gateway.dashboard.pages import respond
from services.gateway.domain import JobView
from services.gateway.http.pages import PAGE, PageRequest
from services.gateway.reports.charts import IntervalMark, place_intervals
from services.gateway.reports.page import DECISIONS, EFFECTS, HEADER_POLICY, render_page
from services.gateway.requests import CancelRequest
from services.gateway.routes.dependencies import GatewayApi

TOPICS_SHOWN: Final = 25
MOVES_SHOWN: Final = 15
STAGES: Final = tuple(state for state in JobState if not state.is_final)
SEE_OTHER: Final = 303


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of jobs."""
    router = APIRouter(include_in_schema=False)
    _add_list(router, api)
    _add_job(router, api)
    _add_cancel(router, api)
    return router


def _add_list(router: APIRouter, api: GatewayApi) -> None:
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.get("/jobs")
    async def list_jobs(
        request: Request,
        agent_id: Annotated[Name | None, Query()] = None,
        state: Annotated[JobState | None, Query()] = None,
        page: PageRequest = PAGE,
        caller: Caller = reader,
    ) -> Response:
        """Jobs, newest first, as the address filters them."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            found = await api.queries.store.jobs(
                tx,
                caller.tenant_id,
                agent_id=agent_id,
                only=caller.agents,
                state=state,
                limit=page.rows,
                offset=page.offset,
            )
        return await respond(
            request,
            "jobs.html",
            caller,
            page=page.build(found),
            agent_id=agent_id,
            state=state,
            states=list(JobState),
            now=api.clock.now(),
        )


def _add_job(router: APIRouter, api: GatewayApi) -> None:
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.get("/jobs/{job_id}")
    async def show_job(request: Request, job_id: UUID, caller: Caller = reader) -> Response:
        """A job while it runs, and afterwards."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            job = await api.queries.job(tx, caller, job_id)
            points = await api.metrics.samples(tx, job)
            trace = await api.queries.trace(tx, caller, job_id)
        changes = await api.reports.read_changes(job)
        charts = await asyncio.to_thread(draw_charts, without_search(points))
        waterfall = await asyncio.to_thread(draw_waterfall, trace.spans, trace.services)
        return await respond(
            request,
            "job.html",
            caller,
            job=job,
            stages=STAGES,
            reached=find_reached(job),
            charts=charts,
            search=list_trials(points),
            waterfall=waterfall,
            trace=trace,
            changes=changes,
            topics=list_topics(changes),
            decisions=DECISIONS,
            effects=EFFECTS,
            moves_shown=MOVES_SHOWN,
            now=api.clock.now(),
        )

    @router.get("/jobs/{job_id}/answers")
    async def show_answers(request: Request, job_id: UUID, caller: Caller = reader) -> Response:
        """What the models of the evaluation answered: confusion matrices and the surest errors."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            job = await api.queries.job(tx, caller, job_id)
        roles, fault = await read_answers(api.artifacts, job.evaluation)
        return await respond(request, "answers.html", caller, job=job, roles=roles, fault=fault)

    @router.get("/jobs/{job_id}/report")
    async def show_report(job_id: UUID, caller: Caller = reader) -> HTMLResponse:
        """The report of the run: the page of `/v1/jobs/{job_id}/report.html`."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            job = await api.queries.job(tx, caller, job_id)
            points = await api.metrics.samples(tx, job)
        report = await api.reports.build(job, points)
        page = await asyncio.to_thread(render_page, report)
        headers = {"Content-Security-Policy": HEADER_POLICY, "Cache-Control": "no-store"}
        return HTMLResponse(page, headers=headers)


def _add_cancel(router: APIRouter, api: GatewayApi) -> None:
    writer = api.require_caller(Scope.WRITE, bound=BoundKeys.APPLIED)
    command = api.require_command_caller(Scope.WRITE, bound=BoundKeys.APPLIED)

    @router.get("/jobs/{job_id}/cancel")
    async def confirm_cancel(request: Request, job_id: UUID, caller: Caller = writer) -> Response:
        """What cancelling will do, and the button that does it."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            job = await api.queries.job(tx, caller, job_id)
        return await respond(
            request,
            "confirm.html",
            caller,
            title=f"Cancel job {job_id}",
            effect=f"The job is {job.state.value}. It ends as cancelled; its feedback may be given "
            "back to the agent's next window afterwards. The deployed version does not change.",
            action=f"/jobs/{job_id}/cancel",
            button="Cancel the job",
            back=f"/jobs/{job_id}",
            reason="cancelled by request",
            request_id=new_id(),
        )

    @router.post("/jobs/{job_id}/cancel")
    async def cancel_job(request: Request, job_id: UUID, caller: Caller = command) -> Response:
        """As POST /v1/jobs/{job_id}/cancel."""
        fields, raw = await read_form(request)
        body = read_body(CancelRequest, fields)
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            repeatable = with_idempotency_key(request, fields, raw)
            identity = await api.idempotency.identify(tx, caller, repeatable)
            await api.service.cancel_job(tx, identity, job_id, body.reason)
        return RedirectResponse(f"/jobs/{job_id}?accepted=cancel", SEE_OTHER)


def list_topics(changes: EvaluationChanges | None) -> list[tuple[TopicChange, IntervalMark]]:
    """Topics of an evaluation with the mark of their difference, all on one axis."""
    topics = changes.topics[:TOPICS_SHOWN] if changes else ()
    return list(zip(topics, place_intervals(topics), strict=True))


def find_reached(job: JobView) -> set[str]:
    """States that the job has been in."""
    return {step.state.value for step in job.history}
