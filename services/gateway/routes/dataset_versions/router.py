"""Dataset versions that were prepared for an agent: their quality, and what changed."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import HTMLResponse

from archon_contracts.formats import DatasetQuality
from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.dataset_versions.page import render_quality_page
from services.gateway.dataset_versions.views import DatasetChangesView
from services.gateway.http.field_limit import FieldLimitedRoute
from services.gateway.http.numbers import WholeNumber
from services.gateway.reports.page import HEADER_POLICY
from services.gateway.routes.dependencies import AgentId, GatewayApi

DatasetVersion = Annotated[
    WholeNumber, Path(ge=1, le=2**31 - 1, description="Number of the dataset's version.")
]
Since = Annotated[
    WholeNumber, Query(ge=1, le=2**31 - 1, description="Version that it is compared with.")
]


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of dataset versions."""
    router = APIRouter(
        route_class=FieldLimitedRoute,
        tags=["datasets"],
        prefix="/agents/{agent_id}/datasets/{dataset_version}",
    )
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    async def read(caller: Caller, agent_id: str, version: int) -> DatasetQuality:
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            found = await api.dataset_versions.find(tx, caller.tenant_id, agent_id, version)
        return await api.dataset_versions.read_quality(found)

    @router.get("/quality")
    async def show_quality(
        agent_id: AgentId, dataset_version: DatasetVersion, caller: Caller = reader
    ) -> DatasetQuality:
        """The quality report of a dataset version."""
        return await read(caller, agent_id, dataset_version)

    @router.get("/quality.html", response_class=HTMLResponse)
    async def show_quality_page(
        agent_id: AgentId, dataset_version: DatasetVersion, caller: Caller = reader
    ) -> HTMLResponse:
        """The same report as one page, without any external request."""
        quality = await read(caller, agent_id, dataset_version)
        page = await asyncio.to_thread(render_quality_page, quality, dataset_version)
        return HTMLResponse(page, headers={"content-security-policy": HEADER_POLICY})

    @router.get("/changes")
    async def show_dataset_changes(
        agent_id: AgentId,
        dataset_version: DatasetVersion,
        since: Since,
        caller: Caller = reader,
    ) -> DatasetChangesView:
        """What changed since an earlier version: items added, removed, relabelled and moved."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            tenant = caller.tenant_id
            version = await api.dataset_versions.find(tx, tenant, agent_id, dataset_version)
            before = await api.dataset_versions.find(tx, tenant, agent_id, since)
        return await api.dataset_versions.compare(version, before)

    return router
