"""OTLP over HTTP: agents export their spans here with the standard exporter."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)
from starlette.exceptions import HTTPException

from services.gateway.auth.credentials import Caller, Scope
from services.gateway.otlp import read_spans
from services.gateway.routes.dependencies import GatewayApi
from shared.telemetry.store import insert_spans

PATH = "/traces"
PROTOBUF = "application/x-protobuf"


def build_router(api: GatewayApi) -> APIRouter:
    """The span intake."""
    router = APIRouter(tags=["telemetry"])
    sender = api.require_caller(Scope.FEEDBACK)

    @router.post(PATH, response_class=Response)
    async def store_spans(request: Request, caller: Caller = sender) -> Response:
        """Store spans; those without valid ids and times are counted in the answer."""
        if request.headers.get("content-type", PROTOBUF) != PROTOBUF:
            raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send {PROTOBUF}")
        encoding = request.headers.get("content-encoding", "identity").lower()
        if encoding not in ("identity", "gzip"):
            raise HTTPException(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "compress with gzip or not at all"
            )
        rows, refused = read_spans(
            await request.body(),
            encoding=encoding,
            tenant_id=caller.tenant_id,
            max_bytes=api.settings.gateway_body_limit_bytes,
        )
        if rows:
            async with api.transactions.begin_write(caller.tenant_id) as tx:
                await insert_spans(tx, rows)
        answer = ExportTraceServiceResponse(
            partial_success=ExportTracePartialSuccess(rejected_spans=refused) if refused else None
        )
        return Response(answer.SerializeToString(), media_type=PROTOBUF)

    return router
