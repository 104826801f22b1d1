"""The stream by which an open page learns that something changed. It then reads itself again.

It says only that there is something new: what a page shows comes by the page's own route, with its
checks, so there is one way in which a view is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from archon_contracts.base import Name
from services.gateway.auth.credentials import Caller, bearer_key
from services.gateway.routes.dependencies import GatewayApi
from services.gateway.sse.events import EventFilter, StreamedEvent

PING_SECONDS: Final = 15
TOGETHER_SECONDS: Final = 0.3
"""What comes within so long is one change: a page is not read for each of a hundred events."""
CHANGED: Final = "changed"
ALIVE: Final = "alive"
"""Sent where nothing changed: a page that gets none of both for `silence` seconds opens another
stream (`parts.html`)."""


def build_router(api: GatewayApi) -> APIRouter:
    """The route of changes."""
    router = APIRouter(include_in_schema=False)
    reader = api.require_stream_caller()

    @router.get("/changes", response_class=EventSourceResponse)
    async def stream_changes(
        request: Request,
        agent_id: Annotated[Name | None, Query()] = None,
        job_id: Annotated[UUID | None, Query()] = None,
        caller: Caller = reader,
    ) -> EventSourceResponse:
        """`changed` at the beginning and after each burst of events that concern the page."""
        event_filter = EventFilter(caller.tenant_id, agent_id, None, caller.agents)
        key = bearer_key(request.headers.get("authorization", ""))
        changes = _changes(api, event_filter, job_id, key)
        return EventSourceResponse(
            changes, ping=PING_SECONDS, send_timeout=30, ping_message_factory=_alive
        )

    return router


def _alive() -> ServerSentEvent:
    # An event and no comment: scripts see no comments.
    return ServerSentEvent(data="", event=ALIVE)


async def _changes(
    api: GatewayApi, event_filter: EventFilter, job_id: UUID | None, key: str | None
) -> AsyncIterator[ServerSentEvent]:
    with api.event_hub.subscribed(event_filter) as subscriber:
        revoked = asyncio.create_task(api.stream_limiter.wait_until_revoked(key))
        revoked.add_done_callback(lambda _: subscriber.abort())
        try:
            # The page was read before this stream began: what came between is not missed.
            yield ServerSentEvent(data="", event=CHANGED)
            while (event := await subscriber.next()) is not None:
                await asyncio.sleep(TOGETHER_SECONDS)
                burst = [event, *subscriber.drain()]
                if any(concerns(each, job_id) for each in burst):
                    yield ServerSentEvent(data="", event=CHANGED, id=str(burst[-1].event_id))
        finally:
            revoked.cancel()


def concerns(event: StreamedEvent, job_id: UUID | None) -> bool:
    """Whether a page about this job, or about everything, shows something else after the event."""
    return job_id is None or event.body.get("job_id") == str(job_id)
