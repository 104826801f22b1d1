"""Feedback, interactions and annotations: read once, checked, acknowledged by Kafka, answered."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from services.gateway.auth.credentials import Caller, Scope
from services.gateway.feedback.body_parser import (
    ANNOTATIONS,
    FEEDBACK,
    INTERACTIONS,
    RETRACTIONS,
    BodyReader,
    IntakeEvent,
    cost_of_refusal,
    prepare,
    require_annotate,
)
from services.gateway.http.openapi import self_contained
from services.gateway.idempotency import idempotency_key
from services.gateway.load.load_shedding import Holding
from services.gateway.routes.dependencies import Api, purpose_of
from shared.errors import PermanentError

ANSWER: dict[str, Any] = {
    "type": "object",
    "required": ["accepted", "event_ids"],
    "properties": {
        "accepted": {"type": "integer"},
        "event_ids": {"type": "array", "items": {"type": "string", "format": "uuid"}},
    },
}


def build_router(api: Api) -> APIRouter:
    """Routes of the feedback topic. All answer 202 once every event is acknowledged."""
    router = APIRouter(tags=["feedback"])
    sender, annotator = api.sender(Scope.FEEDBACK), api.sender(Scope.ANNOTATE)
    paths: dict[str, tuple[BodyReader, Any]] = {
        "/feedback": (FEEDBACK, sender),
        "/feedback/retractions": (RETRACTIONS, sender),
        "/interactions": (INTERACTIONS, sender),
        "/annotations": (ANNOTATIONS, annotator),
    }
    for path, (reader, caller) in paths.items():
        _add_route(router, api, path, reader, caller)
    return router


def _add_route(router: APIRouter, api: Api, path: str, reader: BodyReader, sender: Any) -> None:
    name = reader.contract.__name__

    @router.post(
        path, status_code=202, name=f"send {name}", openapi_extra=_documented(reader, name)
    )
    async def send(request: Request, caller: Caller = sender) -> Response:
        """One event, an array, or `{"events": [...]}`; all are taken or none."""
        with api.pressure.size.hold(0, caller.tenant_id) as holding:
            body = await _body(request, holding)
            try:
                events = await _events(api, reader, request, caller, body)
            except PermanentError:
                api.admission.charge_events(caller, cost_of_refusal(body))
                raise
            api.admission.take_events(caller, len(events))
            await api.intake.send(events, traceparent=request.headers.get("traceparent", ""))
        ids = [str(event.id) for event in events]
        answer = orjson.dumps({"accepted": len(ids), "event_ids": ids})
        return Response(answer, 202, media_type="application/json")


async def _body(request: Request, holding: Holding) -> bytes:
    """The body, held as it comes: what is only announced takes no room from others."""
    chunks = []
    async for chunk in request.stream():
        holding.add(len(chunk))
        chunks.append(chunk)
    return b"".join(chunks)


async def _events(
    api: Api, reader: BodyReader, request: Request, caller: Caller, body: bytes
) -> list[IntakeEvent]:
    events = reader.read(body)
    require_annotate(caller, events)
    await api.known_agents.require(caller.tenant_id, [event.agent_id for event in events])
    return prepare(
        events,
        tenant_id=caller.tenant_id,
        idempotency_key=idempotency_key(request),
        limit=api.settings.gateway_event_limit_bytes,
        purpose=purpose_of(request),
    )


def _documented(reader: BodyReader, name: str) -> dict[str, Any]:
    """The body is read by hand, so its schema is stated by hand."""
    one = {**self_contained(reader.contract.model_json_schema()), "title": name}
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
