"""Server-sent events: committed events as they are consumed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

import orjson
from fastapi import APIRouter, Header, Query, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from archon_contracts.base import Name
from services.gateway.auth.credentials import Caller, bearer_key
from services.gateway.errors import FieldError, Invalid
from services.gateway.read_models.projections import STREAMED_EVENTS
from services.gateway.routes.dependencies import GatewayApi
from services.gateway.sse.events import EventFilter

PING_SECONDS = 15
EVENTS_MISSED = "EventsMissed"
"""Says that a stream cannot resume without a gap; it has no id, as it is no event of the system."""
NAMES = frozenset(contract.__name__ for contract in STREAMED_EVENTS)


def build_router(api: GatewayApi) -> APIRouter:
    """The event stream."""
    router = APIRouter(tags=["events"])
    reader = api.require_stream_caller()

    @router.get("/events", response_class=EventSourceResponse)
    async def stream_events(
        request: Request,
        agent_id: Annotated[Name | None, Query()] = None,
        types: Annotated[str | None, Query(description="Names, separated by commas.")] = None,
        last_event_id: Annotated[UUID | None, Header(description="Resume after this.")] = None,
        caller: Caller = reader,
    ) -> EventSourceResponse:
        """Every event but feedback and metrics; `Last-Event-ID` resumes from those still kept.

        Where that event is no longer kept, an `EventsMissed` comes first.

        It ends soon after its key is revoked or expires.
        """
        event_filter = EventFilter(caller.tenant_id, agent_id, _names(types), caller.agents)
        key = bearer_key(request.headers.get("authorization", ""))
        events = _shown(api, event_filter, last_event_id, key)
        return EventSourceResponse(events, ping=PING_SECONDS, send_timeout=30)

    return router


def _names(types: str | None) -> frozenset[str] | None:
    if types is None:
        return None
    names = frozenset(name.strip() for name in types.split(",") if name.strip())
    if unknown := sorted(names - NAMES):
        message = f"{unknown[0][:100]!r} is no event type; use {', '.join(sorted(NAMES))}"
        raise Invalid([FieldError("query.types", "unknown", message)])
    return names


async def _shown(
    api: GatewayApi, event_filter: EventFilter, after: UUID | None, key: str | None
) -> AsyncIterator[ServerSentEvent]:
    if after is not None and not await api.event_hub.can_resume(event_filter.tenant_id, after):
        detail = (
            f"event {after} is no longer kept: events after it are missing; read the lists again"
        )
        yield ServerSentEvent(data=orjson.dumps({"detail": detail}).decode(), event=EVENTS_MISSED)
    async for event in api.event_hub.stream(
        event_filter, after, api.stream_limiter.wait_until_revoked(key)
    ):
        data = orjson.dumps(event.body).decode()
        yield ServerSentEvent(data=data, event=event.type, id=str(event.event_id))
