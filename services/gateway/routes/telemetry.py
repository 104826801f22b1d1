"""OTLP over HTTP: agents export their spans here with the standard exporter."""

from __future__ import annotations

import asyncio
from functools import partial
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.otlp import JSON, PROTOBUF, read_spans, write_answer
from services.gateway.routes.dependencies import GatewayApi
from shared.errors import PermanentError
from shared.telemetry.store import insert_spans

PATH = "/traces"
REJECTED_EVENTS = 100
"""Charged for a body that is refused: reading it cost about as much as so many events."""


def build_router(api: GatewayApi) -> APIRouter:
    """The span intake."""
    router = APIRouter(tags=["telemetry"])
    sender = api.require_caller(Scope.FEEDBACK, bound=BoundKeys.APPLIED)

    @router.post(PATH, response_class=Response)
    async def store_spans(request: Request, caller: Caller = sender) -> Response:
        """Store spans; those without valid ids and times are counted in the answer.

        Each span counts as an event against the rate of the key.
        """
        media_type, encoding = _media_type(request), _encoding(request)
        api.admission.require_events(caller)
        read = partial(
            read_spans,
            await request.body(),
            encoding=encoding,
            caller=caller,
            max_bytes=api.settings.gateway_body_limit_bytes,
            media_type=media_type,
        )
        try:
            rows, refused = await asyncio.to_thread(read)
        except PermanentError:
            api.admission.charge_rejected_events(caller, REJECTED_EVENTS)
            raise
        api.admission.consume_events(caller, len(rows) + refused)
        if rows:
            async with api.transactions.begin_write(caller.tenant_id) as tx:
                await insert_spans(tx, rows)
        return Response(write_answer(refused, media_type), media_type=media_type)

    return router


def _media_type(request: Request) -> str:
    """The media type without its parameters, such as a charset."""
    media_type = request.headers.get("content-type", PROTOBUF).partition(";")[0].strip().lower()
    if media_type not in (PROTOBUF, JSON):
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send {PROTOBUF} or {JSON}")
    return media_type


def _encoding(request: Request) -> str:
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "compress with gzip or not at all")
    return encoding
