"""Trace contexts as text, and spans made from persisted times."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)

from archon_contracts import telemetry

Attributes = Mapping[str, str | bool | int | float]


class SystemRandomIdGenerator(IdGenerator):
    """Ids from the operating system's random source.

    The SDK draws them from the process's own generator, which a training seeds and saves: whether
    and how often spans begin would then decide what the training draws next.
    """

    def generate_span_id(self) -> int:
        return int(new_span_id(), 16)

    def generate_trace_id(self) -> int:
        return int(new_trace_id(), 16)


@dataclass(frozen=True, slots=True)
class SpanRef:
    """Trace id (32 hex digits), span id (16) and parent span id (16 or none), in lower case."""

    trace_id: str
    span_id: str
    parent_id: str | None = None

    @property
    def traceparent(self) -> str:
        """The W3C header that makes a span the parent of others."""
        return traceparent_of(self.trace_id, self.span_id)


def new_trace_id() -> str:
    """16 random bytes as hex."""
    return secrets.token_hex(16)


def new_span_id() -> str:
    """8 random bytes as hex."""
    return secrets.token_hex(8)


def traceparent_of(trace_id: str, span_id: str) -> str:
    """W3C Trace Context, version 00, sampled."""
    return f"00-{trace_id}-{span_id}-01"


def parse_traceparent(text: str) -> SpanRef | None:
    """The trace and span that a `traceparent` names, or None when it is none."""
    parts = text.split("-")
    if len(parts) < 4 or len(parts[1]) != 32 or len(parts[2]) != 16:
        return None
    try:
        # All zeros name no trace and no span (W3C Trace Context).
        if int(parts[1], 16) == 0 or int(parts[2], 16) == 0:
            return None
    except ValueError:
        return None
    return SpanRef(parts[1].lower(), parts[2].lower())


def read_span_tenant(span: trace.Span) -> str:
    """The span's tenant, from its attributes; empty where they are absent or not readable."""
    attributes = span.attributes if isinstance(span, ReadableSpan) else None
    return str((attributes or {}).get(telemetry.TENANT_ID, ""))


def inherit_tenant(span: trace.Span, parent: Context | None) -> None:
    """A span without a tenant gets that of its parent."""
    tenant_id = read_span_tenant(span) or read_span_tenant(trace.get_current_span(parent))
    if tenant_id:
        span.set_attribute(telemetry.TENANT_ID, tenant_id)


def current_traceparent() -> str:
    """The current span as `traceparent`; empty when there is none."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return ""
    return traceparent_of(format(context.trace_id, "032x"), format(context.span_id, "016x"))


def span_context(traceparent: str) -> SpanContext | None:
    """An OpenTelemetry context of a remote span."""
    ref = parse_traceparent(traceparent)
    if ref is None:
        return None
    return SpanContext(
        int(ref.trace_id, 16), int(ref.span_id, 16), is_remote=True, trace_flags=TraceFlags(1)
    )


def remote_context(traceparent: str) -> Context:
    """A context whose current span is the remote one; a fresh root when there is none."""
    parent = span_context(traceparent)
    if parent is None:
        return Context()
    return trace.set_span_in_context(NonRecordingSpan(parent), Context())


def links_of(traceparents: Sequence[str]) -> list[Link]:
    """Links to the distinct readable ones."""
    contexts = (span_context(text) for text in dict.fromkeys(traceparents))
    return [Link(context) for context in contexts if context is not None]


def emit_span(
    *,
    name: str,
    context: SpanRef,
    started_at: datetime,
    ended_at: datetime,
    attributes: Attributes | None = None,
    links: Sequence[str] = (),
    error: str | None = None,
) -> None:
    """Emit a finished span with ids chosen beforehand, so it outlives the process that began it."""
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        return
    parent = f"00-{context.trace_id}-{context.parent_id}-01" if context.parent_id else ""
    span = ReadableSpan(
        name=name,
        context=SpanContext(
            int(context.trace_id, 16),
            int(context.span_id, 16),
            is_remote=False,
            trace_flags=TraceFlags(1),
        ),
        parent=span_context(parent),
        resource=provider.resource,
        attributes=attributes or {},
        links=links_of(links),
        kind=SpanKind.INTERNAL,
        status=Status(StatusCode.ERROR, error) if error else Status(StatusCode.OK),
        start_time=_nanoseconds(started_at),
        end_time=_nanoseconds(ended_at),
    )
    provider._active_span_processor.on_end(span)  # the SDK has no public way to emit one


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1e9)
