"""The overview: every agent's state, open jobs, and what of the system needs a look."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.dashboard.loop import build_loop
from services.gateway.dashboard.pages import respond
from services.gateway.dashboard.queries import DashboardQueries
from services.gateway.http.pages import PAGE, PageRequest
from services.gateway.routes.dependencies import GatewayApi
from shared.postgres.database import Tx

COUNTED: Final = timedelta(days=7)
JOBS_SHOWN: Final = 10
AGENTS_SHOWN: Final = 50


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of the overview."""
    router, queries = APIRouter(include_in_schema=False), DashboardQueries()
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.get("/")
    async def show_overview(
        request: Request, page: PageRequest = PAGE, caller: Caller = reader
    ) -> Response:
        """Agents and jobs of the tenant; with `operate` also the system."""
        page = PageRequest(min(page.limit, AGENTS_SHOWN), page.offset)
        now = api.clock.now()
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            agents = await queries.overview_agents(
                tx,
                caller.tenant_id,
                only=caller.agents,
                since=now - COUNTED,
                limit=page.rows,
                offset=page.offset,
            )
            jobs = await api.queries.store.jobs(
                tx,
                caller.tenant_id,
                agent_id=None,
                only=caller.agents,
                state=None,
                limit=JOBS_SHOWN,
            )
            system = await read_system(api, tx, caller)
        return await respond(
            request,
            "overview.html",
            caller,
            page=page.build(agents),
            jobs=jobs,
            loop_parts=build_loop(agents[: page.limit]),
            system=system,
            shedding=api.backpressure.describe_shedding(),
            now=now,
        )

    return router


async def read_system(api: GatewayApi, tx: Tx, caller: Caller) -> dict[str, Any] | None:
    """What `/v1/status` shows an operator; None: the key may not see it."""
    if Scope.OPERATE not in caller.scopes or caller.agents is not None:
        return None
    found = await api.queries.system_status(tx)
    return found | {"kafka": api.feedback_producer.connection_faults}
