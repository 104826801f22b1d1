"""Server spans of HTTP requests."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from shared.telemetry.spans import remote_context

SELF_TRACED: Final = ("/v1/feedback", "/v1/interactions", "/v1/annotations", "/v1/traces")
"""Paths without a server span: the intake has its producer span, span exports need none."""

tracer = trace.get_tracer(__name__)


def current_trace_id() -> str:
    """The trace of the request, 32 hex digits; empty outside of one."""
    context = trace.get_current_span().get_span_context()
    return format(context.trace_id, "032x") if context.is_valid else ""


class RequestSpans:
    """A server span per writing request, below the caller's if it sent `traceparent`."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Serve one request. Reads make no span: they change nothing and would drown the rest."""
        if scope["type"] != "http" or scope["method"] == "GET":
            await self._app(scope, receive, send)
            return
        if scope["path"].startswith(SELF_TRACED):
            await self._app(scope, receive, send)
            return
        parent = dict(scope["headers"]).get(b"traceparent", b"").decode("latin-1")
        with tracer.start_as_current_span(
            scope["method"], context=remote_context(parent), kind=SpanKind.SERVER
        ) as span:

            async def send_with_status(message: MutableMapping[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    _describe(span, scope, message["status"])
                await send(message)

            await self._app(scope, receive, send_with_status)


def _describe(span: trace.Span, scope: MutableMapping[str, Any], status: int) -> None:
    route = getattr(scope.get("route"), "path", "unknown")
    span.update_name(f"{scope['method']} {route}")
    span.set_attributes(
        {
            "http.request.method": scope["method"],
            "http.route": route,
            "http.response.status_code": status,
        }
    )
    if status >= 500:
        span.set_status(StatusCode.ERROR)
