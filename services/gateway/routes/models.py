"""Model versions: compare, deploy, roll back."""

from __future__ import annotations

from fastapi import APIRouter, Request

from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.domain import ModelView
from services.gateway.http.field_limit import FieldLimitedRoute
from services.gateway.http.pages import PAGE, Page, PageRequest
from services.gateway.requests import DeployRequest, RollBackRequest
from services.gateway.routes.dependencies import AgentId, GatewayApi, Version, build_accepted


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of model versions."""
    router = APIRouter(route_class=FieldLimitedRoute, tags=["models"], prefix="/agents/{agent_id}")
    reader, writer = (
        api.require_caller(Scope.READ, bound=BoundKeys.APPLIED),
        api.require_command_caller(Scope.WRITE, bound=BoundKeys.APPLIED),
    )

    @router.get("/models")
    async def list_models(
        agent_id: AgentId, page: PageRequest = PAGE, caller: Caller = reader
    ) -> Page[ModelView]:
        """An agent's versions, newest first."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            found, is_cut = await api.queries.models(
                tx, caller.tenant_id, agent_id, limit=page.rows, offset=page.offset
            )
        return page.build(found, is_cut=is_cut)

    @router.get("/models/{version}")
    async def show_model(agent_id: AgentId, version: Version, caller: Caller = reader) -> ModelView:
        """A version with its metrics, evaluation and lineage."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            return await api.queries.model(tx, caller.tenant_id, agent_id, version)

    @router.post("/models/{version}/deploy", status_code=202)
    async def deploy_model(
        agent_id: AgentId,
        version: Version,
        body: DeployRequest,
        request: Request,
        caller: Caller = writer,
    ) -> dict[str, str]:
        """Deploy a version."""
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            identity = await api.idempotency.identify(tx, caller, request)
            await api.service.deploy_model(tx, identity, agent_id, version, body.reason)
        return build_accepted(agent_id=agent_id, version=version)

    @router.post("/rollback", status_code=202)
    async def roll_back_model(
        agent_id: AgentId, body: RollBackRequest, request: Request, caller: Caller = writer
    ) -> dict[str, str]:
        """Deploy an earlier version again."""
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            identity = await api.idempotency.identify(tx, caller, request)
            await api.service.roll_back_model(tx, identity, agent_id, body.to_version, body.reason)
        return build_accepted(agent_id=agent_id, to_version=body.to_version)

    return router
