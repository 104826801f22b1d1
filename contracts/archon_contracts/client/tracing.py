"""Trace context for what the clients send. Without OpenTelemetry installed, nothing is added."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from archon_contracts import telemetry

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

try:
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ModuleNotFoundError:
    INSTALLED = False
else:
    INSTALLED = True

TraceHeaders = dict[str, str]
"""`traceparent` and `tracestate`, as far as there are any."""


def current_trace_headers() -> TraceHeaders:
    """The context of the span that is active now."""
    headers: TraceHeaders = {}
    if INSTALLED:
        TraceContextTextMapPropagator().inject(headers)
    return headers


@contextmanager
def send_span(topic: str, attributes: Mapping[str, str | int]) -> Iterator[TraceHeaders]:
    """A producer span round a send to Kafka; yields the context that the messages carry."""
    if not INSTALLED:
        yield {}
        return
    common: dict[str, str | int] = {
        telemetry.MESSAGING_SYSTEM: "kafka",
        telemetry.MESSAGING_OPERATION_NAME: "send",
        telemetry.MESSAGING_OPERATION_TYPE: "send",
        telemetry.MESSAGING_DESTINATION: topic,
    }
    with _tracer().start_as_current_span(
        f"send {topic}", kind=trace.SpanKind.PRODUCER, attributes={**common, **attributes}
    ) as span:
        try:
            yield current_trace_headers()
        except Exception as error:
            span.set_attribute(telemetry.ERROR_TYPE, type(error).__qualname__)
            raise


def _tracer() -> Tracer:
    return trace.get_tracer("archon_contracts.client")
