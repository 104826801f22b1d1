"""Which requests get a server span, and the trace of a request."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

from opentelemetry import trace
from starlette.requests import Request

from shared.telemetry.spans import parse_traceparent

UNTRACED_PATHS: Final = ("/v1/feedback", "/v1/interactions", "/v1/annotations", "/v1/traces")
"""Paths without a server span: the intake has its producer span, span exports need none."""


def is_untraced(scope: MutableMapping[str, Any]) -> bool:
    """Whether a request gets no span. Reads get none: a dashboard's polling would dominate."""
    return scope.get("method") == "GET" or scope["path"].startswith(UNTRACED_PATHS)


def current_trace_id() -> str:
    """The trace of the request's span, 32 hex digits; empty outside of one."""
    context = trace.get_current_span().get_span_context()
    return format(context.trace_id, "032x") if context.is_valid else ""


def find_trace_id(request: Request) -> str:
    """The trace that a request belongs to: its own span's, or else its sender's."""
    sender = parse_traceparent(request.headers.get("traceparent", ""))
    return current_trace_id() or (sender.trace_id if sender else "")
