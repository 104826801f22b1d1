"""One agent: its versions, what its feedback became, and the changes that somebody may make."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from archon_contracts.base import Identifier
from archon_contracts.identifiers import new_id
from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.dashboard.figures.ancestry import (
    BOX_HEIGHT,
    BOX_WIDTH,
    draw_ancestry,
    summarize,
)
from services.gateway.dashboard.figures.matrices import draw_heat_map
from services.gateway.dashboard.figures.trends import DAYS, draw_trends
from services.gateway.dashboard.forms import read_body, read_form, with_idempotency_key
from services.gateway.dashboard.pages import respond
from services.gateway.dashboard.views.data import read_scores
from services.gateway.http.pages import PAGE, PageRequest
from services.gateway.models.rules import find_rollback_obstacle
from services.gateway.models.search import parse_conditions
from services.gateway.requests import DeployRequest, RollBackRequest
from services.gateway.routes.dependencies import AgentId, GatewayApi, Version

VERSIONS_SHOWN: Final = 25
WINDOWS_SHOWN: Final = 10
SEE_OTHER: Final = 303


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of agents."""
    router = APIRouter(include_in_schema=False, prefix="/agents/{agent_id}")
    _add_agent(router, api)
    _add_lineage(router, api)
    _add_deploy(router, api)
    _add_roll_back(router, api)
    return router


def _add_agent(router: APIRouter, api: GatewayApi) -> None:
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.get("")
    async def show_agent(
        request: Request, agent_id: AgentId, page: PageRequest = PAGE, caller: Caller = reader
    ) -> Response:
        """The timeline of versions, the newest windows with their trust decisions, and jobs."""
        page = PageRequest(min(page.limit, VERSIONS_SHOWN), page.offset)
        tenant = caller.tenant_id
        async with api.transactions.begin_read(tenant) as tx:
            agent = await api.queries.agent(tx, tenant, agent_id)
            deployments = await api.queries.deployments(
                tx, tenant, agent_id, limit=page.rows, offset=page.offset
            )
            models, _ = await api.models.search(
                tx, tenant, agent_id, parse_conditions([]), limit=VERSIONS_SHOWN, offset=0
            )
            windows = await api.queries.store.prepared_datasets(
                tx, tenant, only=[agent_id], limit=WINDOWS_SHOWN
            )
            hours = await api.queries.store.feedback_hours(
                tx, tenant, agent_id, api.clock.now() - timedelta(days=DAYS)
            )
            curriculum = await api.curricula.find(tx, tenant, agent_id)
            jobs = await api.queries.store.jobs(
                tx, tenant, agent_id=agent_id, only=None, state=None, limit=WINDOWS_SHOWN
            )
        return await respond(
            request,
            "agent.html",
            caller,
            agent=agent,
            page=page.build(deployments),
            models=models,
            # Of more versions than are shown, one that was deployed before may be among the others.
            can_roll_back=len(models) == VERSIONS_SHOWN
            or find_rollback_obstacle(models, agent_id, None) is None,
            windows=windows,
            jobs=jobs,
            curriculum=curriculum,
            trends=draw_trends(hours, api.clock.now().date()),
            heat_map=draw_heat_map([(each.version, read_scores(each)) for each in models[::-1]]),
            now=api.clock.now(),
        )


def _add_lineage(router: APIRouter, api: GatewayApi) -> None:
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.get("/versions/{version}/lineage")
    async def show_lineage(
        request: Request, agent_id: AgentId, version: Version, caller: Caller = reader
    ) -> Response:
        """What a version was made of, back to the first one."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            model, ancestors = await api.models.ancestry(tx, caller.tenant_id, agent_id, version)
        found = await api.models.build_lineage(model, ancestors)
        return await respond(
            request,
            "lineage.html",
            caller,
            found=found,
            drawing=draw_ancestry(found),
            summary=summarize(found.ancestors),
            box=(BOX_WIDTH, BOX_HEIGHT),
            now=api.clock.now(),
        )


def _add_deploy(router: APIRouter, api: GatewayApi) -> None:
    writer = api.require_caller(Scope.WRITE, bound=BoundKeys.APPLIED)
    command = api.require_command_caller(Scope.WRITE, bound=BoundKeys.APPLIED)

    @router.get("/deploy/{version}")
    async def confirm_deploy(
        request: Request, agent_id: AgentId, version: Version, caller: Caller = writer
    ) -> Response:
        """What the deployment will change, and the button that does it."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            agent = await api.queries.agent(tx, caller.tenant_id, agent_id)
            model = await api.queries.model(tx, caller.tenant_id, agent_id, version)
        now = agent.deployed_version or "none"
        return await respond(
            request,
            "confirm.html",
            caller,
            title=f"Deploy {version} of {agent_id}",
            effect=f"Processes of the agent load version {model.version} without a restart, in "
            f"place of {now}. No evaluation runs again. A rollback returns to {now}.",
            action=f"{_place(agent_id)}/deploy/{quote(version, safe='')}",
            button=f"Deploy {version}",
            back=_place(agent_id),
            reason="",
            request_id=new_id(),
        )

    @router.post("/deploy/{version}")
    async def deploy_model(
        request: Request, agent_id: AgentId, version: Version, caller: Caller = command
    ) -> Response:
        """As POST /v1/agents/{agent_id}/models/{version}/deploy."""
        fields, raw = await read_form(request)
        body = read_body(DeployRequest, fields)
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            repeatable = with_idempotency_key(request, fields, raw)
            identity = await api.idempotency.identify(tx, caller, repeatable)
            await api.service.deploy_model(tx, identity, agent_id, version, body.reason)
        return RedirectResponse(f"{_place(agent_id)}?accepted=deploy", SEE_OTHER)


def _add_roll_back(router: APIRouter, api: GatewayApi) -> None:
    writer = api.require_caller(Scope.WRITE, bound=BoundKeys.APPLIED)
    command = api.require_command_caller(Scope.WRITE, bound=BoundKeys.APPLIED)

    @router.get("/rollback")
    async def confirm_roll_back(
        request: Request,
        agent_id: AgentId,
        to_version: Annotated[Identifier | None, Query()] = None,
        caller: Caller = writer,
    ) -> Response:
        """What the rollback will change, and the button that does it."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            agent = await api.queries.agent(tx, caller.tenant_id, agent_id)
        target = to_version or "the version that was deployed before it"
        return await respond(
            request,
            "confirm.html",
            caller,
            title=f"Roll back {agent_id}",
            effect=f"Processes of the agent load {target} without a restart, in place of "
            f"{agent.deployed_version or 'none'}. The version that is left stays registered and "
            "can be deployed again.",
            action=f"{_place(agent_id)}/rollback",
            button="Roll back",
            back=_place(agent_id),
            reason="",
            to_version=to_version,
            request_id=new_id(),
        )

    @router.post("/rollback")
    async def roll_back_model(
        request: Request, agent_id: AgentId, caller: Caller = command
    ) -> Response:
        """As POST /v1/agents/{agent_id}/rollback."""
        fields, raw = await read_form(request)
        body = read_body(RollBackRequest, fields)
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            repeatable = with_idempotency_key(request, fields, raw)
            identity = await api.idempotency.identify(tx, caller, repeatable)
            await api.service.roll_back_model(tx, identity, agent_id, body.to_version, body.reason)
        return RedirectResponse(f"{_place(agent_id)}?accepted=rollback", SEE_OTHER)


def _place(agent_id: str) -> str:
    return f"/agents/{quote(agent_id, safe='')}"
