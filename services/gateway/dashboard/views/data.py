"""Datasets, and versions of an agent side by side."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from archon_contracts.base import Identifier, Name
from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.dashboard.pages import respond
from services.gateway.http.pages import PAGE, PageRequest
from services.gateway.routes.dependencies import GatewayApi
from services.gateway.views.models import ModelView

MAX_COMPARED: Final = 4
ALL: Final = "all"


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of data and comparisons."""
    router = APIRouter(include_in_schema=False)
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.get("/data")
    async def list_data(
        request: Request, page: PageRequest = PAGE, caller: Caller = reader
    ) -> Response:
        """Uploaded datasets, and those that were prepared for jobs."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            datasets = await api.queries.store.datasets(
                tx, caller.tenant_id, limit=page.rows, offset=page.offset
            )
            prepared = await api.queries.store.prepared_datasets(
                tx, caller.tenant_id, only=caller.agents, limit=page.rows, offset=page.offset
            )
        return await respond(
            request,
            "data.html",
            caller,
            datasets=datasets[: page.limit],
            prepared=prepared[: page.limit],
            next_cursor=page.next_cursor(datasets, prepared),
            now=api.clock.now(),
        )

    @router.get("/compare")
    async def compare(
        request: Request,
        agent_id: Annotated[Name | None, Query()] = None,
        version: Annotated[list[Identifier] | None, Query(max_length=MAX_COMPARED)] = None,
        caller: Caller = reader,
    ) -> Response:
        """Up to four versions of an agent side by side; the address says which."""
        models: list[ModelView] = []
        if agent_id is not None:
            async with api.transactions.begin_read(caller.tenant_id) as tx:
                for name in dict.fromkeys(version or ()):
                    models.append(await api.queries.model(tx, caller.tenant_id, agent_id, name))
        return await respond(
            request,
            "compare.html",
            caller,
            agent_id=agent_id,
            versions=version or [],
            models=models,
            groups=list_groups(models),
            scores=[read_scores(model) for model in models],
            metrics=list_metrics(models),
            now=api.clock.now(),
        )

    return router


def read_scores(model: ModelView) -> dict[str, Any]:
    """Accuracy of a version in each group of its own evaluation."""
    accuracy = (model.evaluation or {}).get("accuracy", {})
    found: dict[str, Any] = accuracy.get("candidate", {})
    return found


def list_groups(models: list[ModelView]) -> list[str]:
    """Groups that any of the versions was scored in, all items first."""
    names = {group for model in models for group in read_scores(model)}
    return sorted(names, key=lambda name: (name != ALL, name))[:200]


def list_metrics(models: list[ModelView]) -> list[str]:
    """Metrics that any of the versions has, and not all the same."""
    names = sorted({name for model in models for name in model.metrics})
    return [name for name in names if len({str(model.metrics.get(name)) for model in models}) > 1][
        :200
    ]
