"""One dataset: its quality report, its items with a search, and what differs from another."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from pydantic import StringConstraints
from starlette.responses import HTMLResponse, Response

from archon_contracts.base import Name
from archon_contracts.formats import (
    DATASET_CARD_FILE,
    ITEMS_FILE,
    REPORT_FILE,
    DatasetCard,
    DatasetQuality,
)
from archon_contracts.values import ArtifactRef
from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.dashboard.pages import respond
from services.gateway.dashboard.queries import DashboardQueries
from services.gateway.dashboard.samples import (
    PARTS,
    SAMPLES_SHOWN,
    SamplePage,
    find_samples,
)
from services.gateway.dataset_versions.page import render_quality_page
from services.gateway.dataset_versions.views import DatasetChangesView
from services.gateway.domain import PreparedDatasetView
from services.gateway.errors import Invalid, NotFound
from services.gateway.http.pages import PAGE, PageRequest
from services.gateway.reports.page import HEADER_POLICY
from services.gateway.routes.dependencies import GatewayApi
from shared.artifacts.store import ArtifactStore
from shared.errors import ArtifactCorrupt, ArtifactMissing, ArtifactUnsafe

SearchText = Annotated[str, StringConstraints(max_length=200)]
MAX_READ_ITEMS: Final = 200_000
"""Of a file that is read for a page, as the gateway has one process."""


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of single datasets."""
    router = APIRouter(include_in_schema=False, prefix="/data")
    _add_uploaded(router, api)
    _add_prepared(router, api)
    _add_quality(router, api)
    _add_generated(router, api)
    return router


def _add_uploaded(router: APIRouter, api: GatewayApi) -> None:
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.get("/uploaded/{name}")
    async def show_uploaded(
        request: Request,
        name: Annotated[Name, Path()],
        text: Annotated[SearchText, Query()] = "",
        page: PageRequest = PAGE,
        caller: Caller = reader,
    ) -> Response:
        """An uploaded dataset, or one that the generator made: its items, with a search."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            dataset = await api.queries.dataset(tx, caller, name)
        page = PageRequest(SAMPLES_SHOWN, page.offset)
        samples, fault = await read_samples(
            api.artifacts, dataset.artifact, ITEMS_FILE, text, page, dataset.items
        )
        return await respond(
            request,
            "dataset.html",
            caller,
            dataset=dataset,
            text=text,
            samples=samples,
            fault=fault,
            first=page.offset,
            next_cursor=_next_cursor(page, samples),
            now=api.clock.now(),
        )


def _add_prepared(router: APIRouter, api: GatewayApi) -> None:
    queries = DashboardQueries()
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.get("/prepared/{dataset_id}")
    async def show_prepared(
        request: Request,
        dataset_id: UUID,
        part: Annotated[str, Query(pattern="^[a-z]{1,20}$")] = "train",
        text: Annotated[SearchText, Query()] = "",
        against: Annotated[UUID | None, Query()] = None,
        page: PageRequest = PAGE,
        caller: Caller = reader,
    ) -> Response:
        """A prepared dataset: quality, the items of one part, and the difference to another."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            dataset = await queries.prepared_dataset(tx, caller, dataset_id)
            before = await queries.preceding_dataset(tx, caller.tenant_id, dataset)
            other = await queries.prepared_dataset(tx, caller, against) if against else None
        page = PageRequest(SAMPLES_SHOWN, page.offset)
        part = part if part in PARTS else "train"
        items = dataset.items.get(part, 0)
        samples, fault = await read_samples(
            api.artifacts, dataset.artifact, PARTS[part], text, page, items
        )
        difference = await _compare(api, dataset, other) if other else None
        return await respond(
            request,
            "prepared.html",
            caller,
            dataset=dataset,
            card=await _read_card(api.artifacts, dataset.artifact),
            measured=await _read_quality(api, dataset),
            parts_shown=list(PARTS),
            part=part,
            text=text,
            samples=samples,
            fault=fault,
            first=page.offset,
            next_cursor=_next_cursor(page, samples),
            preceding=before,
            other=other,
            difference=difference,
            now=api.clock.now(),
        )


def _add_quality(router: APIRouter, api: GatewayApi) -> None:
    queries = DashboardQueries()
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.get("/prepared/{dataset_id}/quality")
    async def show_quality(dataset_id: UUID, caller: Caller = reader) -> HTMLResponse:
        """The quality report: the page of `/v1/agents/.../datasets/.../quality.html`."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            dataset = await queries.prepared_dataset(tx, caller, dataset_id)
        quality = await api.dataset_versions.read_quality(dataset)
        page = await asyncio.to_thread(render_quality_page, quality, dataset.dataset_version)
        headers = {"Content-Security-Policy": HEADER_POLICY, "Cache-Control": "no-store"}
        return HTMLResponse(page, headers=headers)


def _add_generated(router: APIRouter, api: GatewayApi) -> None:
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.get("/generated/{request_id}")
    async def show_generated(
        request: Request,
        request_id: UUID,
        text: Annotated[SearchText, Query()] = "",
        page: PageRequest = PAGE,
        caller: Caller = reader,
    ) -> Response:
        """A request for synthetic items, and the items as soon as they are there."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            found = await api.queries.synthetic(tx, caller, request_id)
        page = PageRequest(SAMPLES_SHOWN, page.offset)
        samples, fault, report = None, "", None
        if found.artifact is not None:
            samples, fault = await read_samples(
                api.artifacts, found.artifact, ITEMS_FILE, text, page, found.items or 0
            )
            report = await _read_text(api.artifacts, found.artifact, REPORT_FILE)
        return await respond(
            request,
            "generated.html",
            caller,
            found=found,
            text=text,
            samples=samples,
            fault=fault,
            report=report,
            first=page.offset,
            next_cursor=_next_cursor(page, samples),
            now=api.clock.now(),
        )


async def read_samples(
    artifacts: ArtifactStore,
    artifact: ArtifactRef,
    file: str,
    text: str,
    page: PageRequest,
    items: int,
) -> tuple[SamplePage | None, str]:
    """The items of a file that fit; or why there are none to show."""
    if items > MAX_READ_ITEMS:
        return None, f"{items:,} items are too many for a page ({MAX_READ_ITEMS:,} at most)"
    try:
        content = await artifacts.read(artifact, file)
    except (ArtifactMissing, ArtifactCorrupt, ArtifactUnsafe) as error:
        return None, f"there is no such part, or it cannot be read ({type(error).__name__})"
    return await asyncio.to_thread(find_samples, content, text, page.offset), ""


async def _compare(
    api: GatewayApi, after: PreparedDatasetView, before: PreparedDatasetView
) -> DatasetChangesView | None:
    """What differs between two prepared datasets; None: too many items, or not readable."""
    try:
        return await api.dataset_versions.compare(after, before)
    except (Invalid, NotFound):
        return None


async def _read_quality(api: GatewayApi, dataset: PreparedDatasetView) -> DatasetQuality | None:
    try:
        return await api.dataset_versions.read_quality(dataset)
    except NotFound:
        # Of an update of the fast path, or of an earlier release.
        return None


async def _read_card(artifacts: ArtifactStore, artifact: ArtifactRef) -> DatasetCard | None:
    text = await _read_text(artifacts, artifact, DATASET_CARD_FILE)
    try:
        return DatasetCard.model_validate_json(text) if text else None
    except ValueError:
        # Of another release; what the event said is shown all the same.
        return None


async def _read_text(artifacts: ArtifactStore, artifact: ArtifactRef, file: str) -> str | None:
    try:
        return (await artifacts.read(artifact, file)).decode(errors="replace")
    except (ArtifactMissing, ArtifactCorrupt, ArtifactUnsafe):
        return None


def _next_cursor(page: PageRequest, samples: SamplePage | None) -> str | None:
    left = samples.found - page.offset if samples else 0
    return page.next_cursor(range(min(max(left, 0), page.rows)))
