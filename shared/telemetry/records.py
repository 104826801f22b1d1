"""Rows of telemetry, as the exporters produce and the writer stores them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from opentelemetry.sdk.trace import ReadableSpan

from shared.telemetry.spans import traceparent_of

# An escaped NUL; after an odd number of backslashes, as an even number are themselves escaped.
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


@dataclass(frozen=True, slots=True)
class SpanRow:
    """One row of `telemetry.spans`; attributes and links are JSON text."""

    trace_id: str
    span_id: str
    parent_id: str
    service: str
    name: str
    kind: str
    started_at: datetime
    ended_at: datetime
    status: str
    error: str
    attributes: str
    links: str


@dataclass(frozen=True, slots=True)
class LogRow:
    """One row of `telemetry.logs`."""

    at: datetime
    level: str
    event: str
    trace_id: str
    span_id: str
    fields: str


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One row of `telemetry.metrics`."""

    at: datetime
    name: str
    kind: str
    value: float
    attributes: str


def span_row(span: ReadableSpan) -> SpanRow:
    """A finished span as a row."""
    context = span.get_span_context()
    if context is None or span.start_time is None or span.end_time is None:
        raise ValueError(f"span {span.name} is not finished")
    links = [
        traceparent_of(format(link.context.trace_id, "032x"), format(link.context.span_id, "016x"))
        for link in span.links
    ]
    return SpanRow(
        trace_id=format(context.trace_id, "032x"),
        span_id=format(context.span_id, "016x"),
        parent_id=format(span.parent.span_id, "016x") if span.parent else "",
        service=str(span.resource.attributes.get("service.name", "unknown")),
        name=clean(span.name),
        kind=span.kind.name,
        started_at=datetime_from_nanoseconds(span.start_time),
        ended_at=datetime_from_nanoseconds(span.end_time),
        status=span.status.status_code.name,
        error=clean(span.status.description or ""),
        attributes=to_json(dict(span.attributes or {})),
        links=to_json(links),
    )


def to_json(value: Any) -> str:
    """JSON text that PostgreSQL's jsonb takes: no NUL characters, no lone surrogates."""
    try:
        text = orjson.dumps(value, default=str).decode()
    except orjson.JSONEncodeError:
        # orjson refuses lone surrogates and integers of more than 64 bits; this one writes both.
        text = clean(json.dumps(value, default=str, ensure_ascii=False))
    return _NUL.sub(r"\1", text)


def clean(text: str) -> str:
    """Text that PostgreSQL takes: no NUL characters, no lone surrogates."""
    return text.replace("\x00", "").encode(errors="replace").decode()


def datetime_from_nanoseconds(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds / 1e9, tz=UTC)
