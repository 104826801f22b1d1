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


@contextmanager
def agent_span(agent_id: str, interaction_id: str) -> Iterator[TraceHeaders]:
    """A span round an agent's answer (GenAI semantic conventions); yields its context."""
    if not INSTALLED:
        yield {}
        return
    attributes = {
        telemetry.GEN_AI_OPERATION: telemetry.GEN_AI_INVOKE_AGENT,
        telemetry.GEN_AI_AGENT_NAME: agent_id,
        telemetry.AGENT_ID: agent_id,
        telemetry.INTERACTION_ID: interaction_id,
    }
    name = f"{telemetry.GEN_AI_INVOKE_AGENT} {agent_id}"
    with _tracer().start_as_current_span(name, attributes=attributes):
        yield current_trace_headers()


def _tracer() -> Tracer:
    return trace.get_tracer("archon_contracts.client")
