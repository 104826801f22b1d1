"""Feedback, interactions and annotations: read once, checked, acknowledged by Kafka, answered."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from services.gateway.api import Api, purpose_of
from services.gateway.body_limit import announced_bytes
from services.gateway.body_schemas import self_contained
from services.gateway.credentials import Caller
from services.gateway.feedback import (
    ANNOTATIONS,
    FEEDBACK,
    INTERACTIONS,
    RETRACTIONS,
    BodyReader,
    IntakeEvent,
    prepare,
)
from services.gateway.idempotency import idempotency_key

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
    sender = api.sender()
    paths: dict[str, BodyReader] = {
        "/feedback": FEEDBACK,
        "/feedback/retractions": RETRACTIONS,
        "/interactions": INTERACTIONS,
        "/annotations": ANNOTATIONS,
    }
    for path, reader in paths.items():
        _add_route(router, api, path, reader, sender)
    return router


def _add_route(router: APIRouter, api: Api, path: str, reader: BodyReader, sender: Any) -> None:
    name = reader.contract.__name__

    @router.post(
        path, status_code=202, name=f"send {name}", openapi_extra=_documented(reader, name)
    )
    async def send(request: Request, caller: Caller = sender) -> Response:
        """One event, an array, or `{"events": [...]}`; all are taken or none."""
        most = api.settings.gateway_body_limit_bytes
        with api.pressure.size.hold(min(announced_bytes(request, most), most)):
            events = await _events(api, reader, request, caller)
            api.admission.take_events(caller, len(events))
            await api.intake.send(events, traceparent=request.headers.get("traceparent", ""))
        ids = [str(event.id) for event in events]
        answer = orjson.dumps({"accepted": len(ids), "event_ids": ids})
        return Response(answer, 202, media_type="application/json")


async def _events(
    api: Api, reader: BodyReader, request: Request, caller: Caller
) -> list[IntakeEvent]:
    events = reader.read(await request.body())
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
