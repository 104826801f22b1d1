"""Datasets, and versions of an agent side by side."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import StringConstraints
from starlette.responses import Response

from archon_contracts.base import Name
from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.dashboard.figures.drawings import draw_overlay
from services.gateway.dashboard.figures.trials import without_search
from services.gateway.dashboard.pages import respond
from services.gateway.errors import NotFound
from services.gateway.http.pages import PAGE, PageRequest
from services.gateway.models.comparison import list_fields
from services.gateway.models.search import parse_conditions
from services.gateway.routes.dependencies import GatewayApi
from services.gateway.views.metrics import MetricSample
from services.gateway.views.models import ModelView
from shared.postgres.database import Tx

MAX_COMPARED: Final = 4
OFFERED: Final = 50
"""Versions that the form offers; any other one can be typed."""
MAX_ROWS: Final = 200
ALL: Final = "all"


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of data and comparisons."""
    router = APIRouter(include_in_schema=False)
    _add_list(router, api)
    _add_compare(router, api)
    return router


def _add_list(router: APIRouter, api: GatewayApi) -> None:
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


def _add_compare(router: APIRouter, api: GatewayApi) -> None:
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.get("/compare")
    async def compare(
        request: Request,
        agent_id: Annotated[Name | None, Query()] = None,
        version: Annotated[
            list[Annotated[str, StringConstraints(max_length=256)]] | None,
            Query(max_length=MAX_COMPARED),
        ] = None,
        caller: Caller = reader,
    ) -> Response:
        """Up to four versions of an agent side by side; the address says which."""
        models: list[ModelView] = []
        runs: list[tuple[str, list[MetricSample]]] = []
        offered: list[ModelView] = []
        if agent_id is not None:
            async with api.transactions.begin_read(caller.tenant_id) as tx:
                for name in dict.fromkeys(each for each in version or () if each):
                    model = await api.queries.model(tx, caller.tenant_id, agent_id, name)
                    models.append(model)
                    runs.append((model.version, await _read_curves(api, tx, caller, model)))
                offered, _ = await api.models.search(
                    tx, caller.tenant_id, agent_id, parse_conditions([]), limit=OFFERED, offset=0
                )
        charts = await asyncio.to_thread(draw_overlay, runs)
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
            settings=list_settings(models),
            charts=charts,
            offered=[each.version for each in offered],
            now=api.clock.now(),
        )


async def _read_curves(
    api: GatewayApi, tx: Tx, caller: Caller, model: ModelView
) -> list[MetricSample]:
    """The curves of the training that gave a version; none: it was imported."""
    if model.lineage.job_id is None:
        return []
    try:
        job = await api.queries.job(tx, caller, model.lineage.job_id)
    except NotFound:
        return []
    return without_search(await api.metrics.samples(tx, job))


def list_settings(models: list[ModelView]) -> list[tuple[str, list[str]]]:
    """What the versions were made with, as far as any two differ."""
    fields = [list_fields(model) for model in models]
    names = sorted({name for each in fields for name in each})
    rows = [(name, [to_text(each.get(name)) for each in fields]) for name in names]
    return [(name, values) for name, values in rows if len(set(values)) > 1][:MAX_ROWS]


def to_text(value: object) -> str:
    """A value of a field, short."""
    if value is None:
        return "\N{EN DASH}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:79]}\N{HORIZONTAL ELLIPSIS}"


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
