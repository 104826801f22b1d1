"""Reviewing by keyboard: one item a page, a key for each choice."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.dashboard.forms import read_body, read_form
from services.gateway.dashboard.pages import respond
from services.gateway.errors import Conflict
from services.gateway.reviews.views import ReviewRequestBody
from services.gateway.routes.dependencies import AgentId, GatewayApi

SEE_OTHER: Final = 303
KEYS: Final = "123456789abcdefghijklmnopqrtvwxyz"
"""Of the choices in order; s skips and u undoes."""


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of the review page; the key needs the scope `annotate`."""
    router = APIRouter(include_in_schema=False, prefix="/agents/{agent_id}/review")
    reviewer = api.require_caller(Scope.ANNOTATE, bound=BoundKeys.APPLIED)

    @router.get("")
    async def show_next(request: Request, agent_id: AgentId, caller: Caller = reviewer) -> Response:
        """The next item, leased to this key, or that nothing is left."""
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            task = await api.reviews.next_task(tx, caller, agent_id)
        choices = zip(KEYS, task.choices, strict=False) if task else ()
        return await respond(
            request,
            "review.html",
            caller,
            agent_id=agent_id,
            task=task,
            choices=list(choices),
            unkeyed=task.choices[len(KEYS) :] if task else [],
        )

    @router.post("/undo")
    async def undo(agent_id: AgentId, caller: Caller = reviewer) -> Response:
        """As POST /v1/agents/{agent_id}/reviews/undo."""
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            await api.reviews.undo(tx, caller, agent_id)
        return _back(agent_id)

    @router.post("/{task_id}")
    async def choose(
        request: Request, agent_id: AgentId, task_id: UUID, caller: Caller = reviewer
    ) -> Response:
        """As POST /v1/reviews/{task_id}/choice; without a choice as its skip."""
        fields, _ = await read_form(request)
        body = None if "skip" in fields else read_body(ReviewRequestBody, fields)
        try:
            async with api.transactions.begin_write(caller.tenant_id) as tx:
                if body is None:
                    await api.reviews.skip(tx, caller, task_id)
                else:
                    await api.reviews.review(tx, caller, task_id, body)
        except Conflict:
            # Another tab was faster, or the lease is over: the reviewer goes on with the next item.
            return _back(agent_id, "?accepted=passed-on")
        return _back(agent_id)

    return router


def _back(agent_id: str, query: str = "") -> Response:
    return RedirectResponse(f"/agents/{quote(agent_id, safe='')}/review{query}", SEE_OTHER)
