"""Model versions: search, compare, deploy, roll back, archive."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.domain import ModelView
from services.gateway.http.field_limit import FieldLimitedRoute
from services.gateway.http.pages import PAGE, Page, PageRequest
from services.gateway.models.imports import require_model
from services.gateway.models.search import parse_conditions
from services.gateway.requests import (
    ArchiveRequest,
    DeployRequest,
    ImportRequest,
    ProtectRequest,
    RetentionRequest,
    RollBackRequest,
)
from services.gateway.routes.dependencies import AgentId, GatewayApi, Version, build_accepted
from services.gateway.views.models import ComparisonView, LineageView

Where = Annotated[
    list[str] | None,
    Query(
        max_length=20,
        description="Conditions that all hold: status, digest (a prefix), parent_version, job_id "
        "or dataset_id =VALUE; METRIC>=N or METRIC<=N; or a field of the lineage =VALUE. "
        "status=training lists candidates.",
    ),
]


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of model versions."""
    router = APIRouter(route_class=FieldLimitedRoute, tags=["models"], prefix="/agents/{agent_id}")
    _add_reads(router, api)
    _add_deployments(router, api)
    _add_retention(router, api)
    return router


def _add_reads(router: APIRouter, api: GatewayApi) -> None:
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.get("/models")
    async def list_models(
        agent_id: AgentId, where: Where = None, page: PageRequest = PAGE, caller: Caller = reader
    ) -> Page[ModelView]:
        """An agent's versions that fit, newest first."""
        wanted = parse_conditions(where or [])
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            found, is_cut = await api.models.search(
                tx, caller.tenant_id, agent_id, wanted, limit=page.rows, offset=page.offset
            )
        return page.build(found, is_cut=is_cut)

    @router.get("/models/{version}")
    async def show_model(agent_id: AgentId, version: Version, caller: Caller = reader) -> ModelView:
        """A version with its metrics, evaluation and lineage."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            return await api.queries.model(tx, caller.tenant_id, agent_id, version)

    @router.get("/models/{version}/lineage")
    async def show_lineage(
        agent_id: AgentId, version: Version, caller: Caller = reader
    ) -> LineageView:
        """What a version was made from: feedback, data, configuration and the versions before."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            model, ancestors = await api.models.ancestry(tx, caller.tenant_id, agent_id, version)
        return await api.models.build_lineage(model, ancestors)

    @router.get("/models/{version}/compare/{other}")
    async def compare_models(
        agent_id: AgentId, version: Version, other: Version, caller: Caller = reader
    ) -> ComparisonView:
        """Metrics and lineage of two versions, as far as they differ."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            return await api.models.compare(tx, caller.tenant_id, agent_id, (version, other))


def _add_deployments(router: APIRouter, api: GatewayApi) -> None:
    writer = api.require_command_caller(Scope.WRITE, bound=BoundKeys.APPLIED)

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


def _add_retention(router: APIRouter, api: GatewayApi) -> None:
    writer = api.require_command_caller(Scope.WRITE, bound=BoundKeys.APPLIED)

    @router.post("/models", status_code=202)
    async def import_model(
        agent_id: AgentId, body: ImportRequest, request: Request, caller: Caller = writer
    ) -> dict[str, str]:
        """Give a model of the artifact store a version, though no job made it."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            await api.queries.require_agent(tx, caller.tenant_id, agent_id)
        # Between the transactions: the store may be far away.
        await require_model(api.artifacts, body.artifact)
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            identity = await api.idempotency.identify(tx, caller, request)
            model_id = await api.model_commands.import_model(tx, identity, agent_id, body)
        return build_accepted(agent_id=agent_id, model_id=model_id)

    @router.post("/models/{version}/archive", status_code=202)
    async def archive_model(
        agent_id: AgentId,
        version: Version,
        body: ArchiveRequest,
        request: Request,
        caller: Caller = writer,
    ) -> dict[str, str]:
        """Keep a version for the record only: it is never deployed again."""
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            identity = await api.idempotency.identify(tx, caller, request)
            await api.model_commands.archive(tx, identity, agent_id, version, body.reason)
        return build_accepted(agent_id=agent_id, version=version)

    @router.post("/models/{version}/protect", status_code=202)
    async def protect_model(
        agent_id: AgentId,
        version: Version,
        body: ProtectRequest,
        request: Request,
        caller: Caller = writer,
    ) -> dict[str, str]:
        """Keep retention from archiving a version, or allow it again."""
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            identity = await api.idempotency.identify(tx, caller, request)
            await api.model_commands.protect(tx, identity, agent_id, version, body)
        return build_accepted(agent_id=agent_id, version=version)

    @router.post("/retention", status_code=202)
    async def retain_models(
        agent_id: AgentId, body: RetentionRequest, request: Request, caller: Caller = writer
    ) -> dict[str, str]:
        """Archive an agent's old versions, but for those that are protected."""
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            identity = await api.idempotency.identify(tx, caller, request)
            await api.model_commands.retain(tx, identity, agent_id, body)
        return build_accepted(agent_id=agent_id)
