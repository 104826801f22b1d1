"""The review queue: add items, get the next one, choose, skip, undo, see how far it is."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.http.field_limit import FieldLimitedRoute
from services.gateway.reviews.views import (
    ReviewRequestBody,
    ReviewSummary,
    ReviewTasksRequest,
    ReviewTaskView,
)
from services.gateway.routes.dependencies import AgentId, GatewayApi, build_accepted


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of reviews; a reviewer's key needs the scope `annotate`."""
    router = APIRouter(route_class=FieldLimitedRoute, tags=["reviews"])
    _add_tasks(router, api)
    _add_reviewing(router, api)
    return router


def _add_tasks(router: APIRouter, api: GatewayApi) -> None:
    writer = api.require_caller(Scope.WRITE, bound=BoundKeys.APPLIED)
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.post("/agents/{agent_id}/reviews", status_code=201)
    async def add_review_tasks(
        agent_id: AgentId, body: ReviewTasksRequest, request: Request, caller: Caller = writer
    ) -> dict[str, str]:
        """Queue items for reviewers. What they choose is never training data."""
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            identity = await api.idempotency.identify(tx, caller, request)
            added = await api.reviews.add_tasks(tx, identity, agent_id, body)
        return build_accepted(agent_id=agent_id, tasks=str(added))

    @router.get("/agents/{agent_id}/reviews")
    async def show_reviews(agent_id: AgentId, caller: Caller = reader) -> ReviewSummary:
        """How many items are done, how far reviewers agree, and the newest choices."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            return await api.reviews.summarise(tx, caller, agent_id)


def _add_reviewing(router: APIRouter, api: GatewayApi) -> None:
    reviewer = api.require_caller(Scope.ANNOTATE, bound=BoundKeys.APPLIED)

    @router.get("/agents/{agent_id}/reviews/next", responses={204: {"description": "Nothing."}})
    async def next_review(
        agent_id: AgentId, response: Response, caller: Caller = reviewer
    ) -> ReviewTaskView | None:
        """The item that this key has, or the next one, for ten minutes; 204: nothing is left."""
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            found = await api.reviews.next_task(tx, caller, agent_id)
        if found is None:
            response.status_code = 204
        return found

    @router.post("/agents/{agent_id}/reviews/undo")
    async def undo_review(agent_id: AgentId, caller: Caller = reviewer) -> dict[str, str]:
        """Take back this key's newest choice of the last hour; its item is the key's again."""
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            task_id = await api.reviews.undo(tx, caller, agent_id)
        return build_accepted(task_id=task_id)

    @router.post("/reviews/{task_id}/choice")
    async def review(
        task_id: UUID, body: ReviewRequestBody, caller: Caller = reviewer
    ) -> dict[str, str]:
        """Choose for the item that this key has."""
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            await api.reviews.review(tx, caller, task_id, body)
        return build_accepted(task_id=task_id)

    @router.post("/reviews/{task_id}/skip")
    async def skip_review(task_id: UUID, caller: Caller = reviewer) -> dict[str, str]:
        """Leave the item to other keys."""
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            await api.reviews.skip(tx, caller, task_id)
        return build_accepted(task_id=task_id)
