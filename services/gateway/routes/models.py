"""Model versions: compare, deploy, roll back."""

from __future__ import annotations

from fastapi import APIRouter, Request

from services.gateway.auth.credentials import Caller, Scope
from services.gateway.domain import ModelView
from services.gateway.http.field_limit import BoundedRoute
from services.gateway.requests import DeployWish, RollBackWish
from services.gateway.routes.dependencies import AgentId, Api, Version, accepted


def build_router(api: Api) -> APIRouter:
    """Routes of model versions."""
    router = APIRouter(route_class=BoundedRoute, tags=["models"], prefix="/agents/{agent_id}")
    reader, writer = api.caller(Scope.READ), api.commander(Scope.WRITE)

    @router.get("/models")
    async def list_models(agent_id: AgentId, caller: Caller = reader) -> dict[str, list[ModelView]]:
        """An agent's versions, newest first."""
        async with api.transactions.reading(caller.tenant_id) as tx:
            return {"items": await api.reading.models(tx, caller.tenant_id, agent_id)}

    @router.get("/models/{version}")
    async def show_model(agent_id: AgentId, version: Version, caller: Caller = reader) -> ModelView:
        """A version with its metrics, evaluation and lineage."""
        async with api.transactions.reading(caller.tenant_id) as tx:
            return await api.reading.model(tx, caller.tenant_id, agent_id, version)

    @router.post("/models/{version}/deploy", status_code=202)
    async def deploy_model(
        agent_id: AgentId,
        version: Version,
        wish: DeployWish,
        request: Request,
        caller: Caller = writer,
    ) -> dict[str, str]:
        """Make a version live."""
        async with api.transactions.writing(caller.tenant_id) as tx:
            order = await api.idempotency.asked(tx, caller, request)
            await api.service.deploy_model(tx, order, agent_id, version, wish.reason)
        return accepted(agent_id=agent_id, version=version)

    @router.post("/rollback", status_code=202)
    async def roll_back_model(
        agent_id: AgentId, wish: RollBackWish, request: Request, caller: Caller = writer
    ) -> dict[str, str]:
        """Make an earlier version live again."""
        async with api.transactions.writing(caller.tenant_id) as tx:
            order = await api.idempotency.asked(tx, caller, request)
            await api.service.roll_back_model(tx, order, agent_id, wish.to_version, wish.reason)
        return accepted(agent_id=agent_id, to_version=wish.to_version)

    return router
