"""Feedback, interactions and annotations, answered when Kafka has acknowledged them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request, Response

from services.gateway.auth.agent_binding import require_agents
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.feedback.body_parser import (
    ANNOTATIONS,
    FEEDBACK,
    INTERACTIONS,
    RETRACTIONS,
    BodyParser,
    OutgoingEvent,
    estimate_rejected_events,
    prepare,
    require_annotate_scope,
)
from services.gateway.http.intake_requests import Handler
from services.gateway.http.openapi import inline_definitions
from services.gateway.idempotency import read_idempotency_key
from services.gateway.routes.dependencies import GatewayApi, read_traffic_class
from shared.errors import PermanentError

ANSWER: dict[str, Any] = {
    "type": "object",
    "required": ["accepted", "event_ids"],
    "properties": {
        "accepted": {"type": "integer"},
        "event_ids": {"type": "array", "items": {"type": "string", "format": "uuid"}},
    },
}


READERS: Final[Mapping[str, tuple[BodyParser, Scope]]] = {
    "/feedback": (FEEDBACK, Scope.FEEDBACK),
    "/feedback/retractions": (RETRACTIONS, Scope.FEEDBACK),
    "/interactions": (INTERACTIONS, Scope.FEEDBACK),
    "/annotations": (ANNOTATIONS, Scope.ANNOTATE),
}
"""What each path reads, and the scope that its callers need."""


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of the feedback topic. All answer 202 once every event is acknowledged."""
    router = APIRouter(tags=["feedback"])
    for path, (reader, scope) in READERS.items():
        _add_route(router, api, path, reader, api.require_feedback_caller(scope))
    return router


def build_handlers(api: GatewayApi) -> dict[str, Handler]:
    """The same by path, for requests that are answered without a look for their route."""
    return {path: _handler(api, reader, scope) for path, (reader, scope) in READERS.items()}


def _handler(api: GatewayApi, reader: BodyParser, scope: Scope) -> Handler:
    async def handle(request: Request) -> Response:
        return await _accept(api, reader, request, await api.admit_feedback(request, scope))

    return handle


def _add_route(
    router: APIRouter, api: GatewayApi, path: str, reader: BodyParser, sender: Any
) -> None:
    name = reader.contract.__name__

    @router.post(
        path, status_code=202, name=f"send {name}", openapi_extra=_documented(reader, name)
    )
    async def send(request: Request, caller: Caller = sender) -> Response:
        """One event, an array, or `{"events": [...]}`; all are accepted or none.

        An `Idempotency-Key` used with another body is refused (409).
        """
        return await _accept(api, reader, request, caller)


async def _accept(
    api: GatewayApi, reader: BodyParser, request: Request, caller: Caller
) -> Response:
    body = await request.body()
    try:
        events = await _events(api, reader, request, caller, body)
    except PermanentError:
        api.admission.charge_rejected_events(caller, estimate_rejected_events(body))
        raise
    api.admission.consume_events(caller, len(events))
    # Without a key this route needs no database, and goes on while that is away.
    if read_idempotency_key(request):
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            await api.idempotency.identify(tx, caller, request)
    await api.feedback_producer.send(events, traceparent=request.headers.get("traceparent", ""))
    ids = [str(event.id) for event in events]
    answer = orjson.dumps({"accepted": len(ids), "event_ids": ids})
    return Response(answer, 202, media_type="application/json")


async def _events(
    api: GatewayApi, reader: BodyParser, request: Request, caller: Caller, body: bytes
) -> list[OutgoingEvent]:
    events = reader.read(body)
    require_annotate_scope(caller, events)
    require_agents(caller, {event.agent_id for event in events})
    await api.known_agents.require(caller.tenant_id, [event.agent_id for event in events])
    return prepare(
        events,
        caller=caller,
        idempotency_key=read_idempotency_key(request),
        limit=api.settings.gateway_event_limit_bytes,
        traffic_class=read_traffic_class(request, caller),
    )


def _documented(reader: BodyParser, name: str) -> dict[str, Any]:
    """The schema of the body, which the route parses itself."""
    one = {**inline_definitions(reader.contract.model_json_schema()), "title": name}
    many = {"type": "array", "items": one}
    batch = {"type": "object", "required": ["events"], "properties": {"events": many}}
    content = {"application/json": {"schema": {"anyOf": [one, batch, many]}}}
    return {
        "requestBody": {"required": True, "content": content},
        "responses": {
            "202": {
                "description": "Acknowledged by every in-sync replica.",
                "content": {"application/json": {"schema": ANSWER}},
            }
        },
    }
