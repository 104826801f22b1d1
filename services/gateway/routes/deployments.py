"""Which version answers: the history of deployments, who gets which, and experiments."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from archon_contracts.base import Identifier, Name
from archon_contracts.rollouts.assignment import Assignment
from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.domain import DeploymentView
from services.gateway.errors import FieldError, Invalid
from services.gateway.http.field_limit import FieldLimitedRoute
from services.gateway.http.pages import PAGE, Page, PageRequest
from services.gateway.routes.dependencies import AgentId, GatewayApi
from services.gateway.views.experiments import (
    ExperimentDetail,
    ExperimentProgress,
    ExperimentView,
)


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of deployments and of experiments."""
    router = APIRouter()
    router.include_router(_build_deployments(api))
    router.include_router(_build_experiments(api))
    return router


def _build_deployments(api: GatewayApi) -> APIRouter:
    router = APIRouter(route_class=FieldLimitedRoute, tags=["models"], prefix="/agents/{agent_id}")
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.get("/deployments")
    async def list_deployments(
        agent_id: AgentId, page: PageRequest = PAGE, caller: Caller = reader
    ) -> Page[DeploymentView]:
        """Which versions were deployed, from when, by whom and why, newest first."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            found = await api.queries.deployments(
                tx, caller.tenant_id, agent_id, limit=page.rows, offset=page.offset
            )
        return page.build(found)

    @router.get("/deployed")
    async def show_deployed(
        agent_id: AgentId,
        at: Annotated[
            AwareDatetime | None, Query(description="A time with its offset; absent: now.")
        ] = None,
        caller: Caller = reader,
    ) -> DeploymentView:
        """The version that was deployed at a time, and who deployed it, when and why."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            return await api.queries.deployed_at(tx, caller.tenant_id, agent_id, at)

    @router.get("/assignment")
    async def show_assignment(
        agent_id: AgentId,
        unit_id: Annotated[Identifier | None, Query(description="User or session.")] = None,
        interaction_id: Annotated[
            Identifier | None, Query(description="Where there is no unit.")
        ] = None,
        caller: Caller = reader,
    ) -> Assignment:
        """The version that answers a unit now, by the function of AgentConfiguration."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            configuration = await api.queries.configuration(tx, caller.tenant_id, agent_id)
        try:
            return configuration.assign(unit_id=unit_id, interaction_id=interaction_id or "")
        except ValueError as error:
            raise Invalid([FieldError("unit_id", "missing", str(error))]) from error

    return router


def _build_experiments(api: GatewayApi) -> APIRouter:
    router = APIRouter(route_class=FieldLimitedRoute, tags=["experiments"], prefix="/experiments")
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.get("")
    async def list_experiments(
        agent_id: Annotated[Name | None, Query()] = None,
        state: Annotated[ExperimentProgress | None, Query()] = None,
        page: PageRequest = PAGE,
        caller: Caller = reader,
    ) -> Page[ExperimentView]:
        """Experiments, newest first: traffic, feedback, difference and why each ended."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            found = await api.experiments.search(
                tx,
                caller.tenant_id,
                agent_id=agent_id,
                state=state,
                only=caller.agents,
                limit=page.rows,
                offset=page.offset,
            )
        return page.build(found)

    @router.get("/{experiment_id}")
    async def show_experiment(experiment_id: UUID, caller: Caller = reader) -> ExperimentDetail:
        """An experiment with its confidence sequence and evidence over time."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            return await api.experiments.find(tx, caller, experiment_id)

    return router
