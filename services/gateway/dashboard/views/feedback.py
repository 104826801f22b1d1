"""The feedback of an agent that windows took, with what was decided of each event."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import StringConstraints
from starlette.responses import Response

from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.dashboard.pages import respond
from services.gateway.dashboard.trust_decisions import (
    DECIDED_FILES,
    DecisionFilter,
    list_decisions,
)
from services.gateway.domain import PreparedDatasetView
from services.gateway.http.pages import PAGE, PageRequest
from services.gateway.routes.dependencies import AgentId, GatewayApi
from shared.artifacts.store import ArtifactStore
from shared.errors import ArtifactCorrupt, ArtifactMissing, ArtifactUnsafe

Text = Annotated[str, StringConstraints(max_length=200)]
DATASETS_READ: Final = 5
MAX_ITEMS: Final = 20_000
"""Of all datasets of a page: each of their items is parsed."""
DECISIONS_SHOWN: Final = 50


def build_router(api: GatewayApi) -> APIRouter:
    """The route of decisions."""
    router = APIRouter(include_in_schema=False, prefix="/agents/{agent_id}")
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.get("/feedback")
    async def show_feedback(
        request: Request,
        agent_id: AgentId,
        decision: Annotated[Text, Query()] = "",
        source: Annotated[Text, Query()] = "",
        text: Annotated[Text, Query()] = "",
        page: PageRequest = PAGE,
        caller: Caller = reader,
    ) -> Response:
        """The newest windows' feedback, as the address filters it."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            agent = await api.queries.agent(tx, caller.tenant_id, agent_id)
            datasets = await api.queries.store.prepared_datasets(
                tx, caller.tenant_id, only=[agent_id], limit=DATASETS_READ
            )
        page = PageRequest(DECISIONS_SHOWN, page.offset)
        wanted = DecisionFilter(decision, source, text)
        read = await read_files(api.artifacts, datasets)
        found = await asyncio.to_thread(
            list_decisions, read, wanted, offset=page.offset, limit=page.limit
        )
        left = max(found.found - page.offset, 0)
        return await respond(
            request,
            "feedback.html",
            caller,
            agent=agent,
            found=found,
            wanted=wanted,
            decisions=list(DECIDED_FILES),
            datasets=len(read),
            first=page.offset,
            next_cursor=page.next_cursor(range(min(left, page.rows))),
            now=api.clock.now(),
        )

    return router


async def read_files(
    artifacts: ArtifactStore, datasets: Sequence[PreparedDatasetView]
) -> list[tuple[int, str, Mapping[str, bytes]]]:
    """The files of the newest datasets, as long as their items are few enough for a page."""
    found: list[tuple[int, str, Mapping[str, bytes]]] = []
    items = 0
    for dataset in datasets:
        items += sum(dataset.items.values())
        if items > MAX_ITEMS:
            break
        files = {}
        for file in DECIDED_FILES.values():
            try:
                files[file] = await artifacts.read(dataset.artifact, file)
            except (ArtifactMissing, ArtifactCorrupt, ArtifactUnsafe):
                # A dataset has a file of negatives only where there are some.
                continue
        found.append((dataset.dataset_version, str(dataset.dataset_id), files))
    return found
