"""Experiments: the list, and one with its curves, arms, traffic and why it ended."""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from archon_contracts.base import Name
from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.dashboard.figures.sequences import draw_difference, draw_harm
from services.gateway.dashboard.pages import respond
from services.gateway.http.pages import PAGE, PageRequest
from services.gateway.routes.dependencies import GatewayApi
from services.gateway.views.experiments import ExperimentProgress


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of experiments."""
    router = APIRouter(include_in_schema=False, prefix="/experiments")
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.get("")
    async def list_experiments(
        request: Request,
        agent_id: Annotated[Name | None, Query()] = None,
        state: Annotated[ExperimentProgress | None, Query()] = None,
        page: PageRequest = PAGE,
        caller: Caller = reader,
    ) -> Response:
        """Experiments, newest first, as the address filters them."""
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
        return await respond(
            request,
            "experiments.html",
            caller,
            page=page.build(found),
            agent_id=agent_id,
            state=state,
            states=list(ExperimentProgress),
            now=api.clock.now(),
        )

    @router.get("/{experiment_id}")
    async def show_experiment(
        request: Request, experiment_id: UUID, caller: Caller = reader
    ) -> Response:
        """An experiment while it runs, and afterwards."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            found = await api.experiments.find(tx, caller, experiment_id)
        difference = await asyncio.to_thread(draw_difference, found.measures)
        harm = await asyncio.to_thread(draw_harm, found.measures)
        return await respond(
            request,
            "experiment.html",
            caller,
            experiment=found,
            difference=difference,
            harm=harm,
            last=found.measures[-1] if found.measures else None,
            now=api.clock.now(),
        )

    return router
