"""What a send looks like in a trace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from archon_contracts.client import tracing


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", lambda: provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


def test_a_send_is_a_producer_span_named_for_its_topic(spans: InMemorySpanExporter) -> None:
    with tracing.send_span("archon.feedback.v1", {"archon.agent.id": "picker"}):
        pass

    (span,) = spans.get_finished_spans()
    assert (span.name, span.kind) == ("send archon.feedback.v1", trace.SpanKind.PRODUCER)
    assert span.attributes == {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "archon.feedback.v1",
        "archon.agent.id": "picker",
    }


def test_the_message_carries_the_context_of_its_send(spans: InMemorySpanExporter) -> None:
    with tracing.send_span("archon.feedback.v1", {}) as headers:
        pass

    (span,) = spans.get_finished_spans()
    context = span.get_span_context()
    assert context is not None
    _, trace_id, span_id, _ = headers["traceparent"].split("-")
    assert (int(trace_id, 16), int(span_id, 16)) == (context.trace_id, context.span_id)


def test_a_send_belongs_to_the_trace_of_its_caller(spans: InMemorySpanExporter) -> None:
    with (
        tracing._tracer().start_as_current_span("answer a request") as outer,
        tracing.send_span("archon.feedback.v1", {}),
    ):
        pass

    send, _ = spans.get_finished_spans()
    assert send.parent is not None
    assert send.parent.span_id == outer.get_span_context().span_id


def test_a_failed_send_names_its_error(spans: InMemorySpanExporter) -> None:
    with pytest.raises(LookupError), tracing.send_span("archon.feedback.v1", {}):
        raise LookupError("no broker")

    (span,) = spans.get_finished_spans()
    assert span.attributes is not None
    assert span.attributes["error.type"] == "LookupError"
    assert not span.status.is_ok


def test_without_a_span_there_are_no_trace_headers() -> None:
    assert tracing.current_trace_headers() == {}


def test_without_opentelemetry_nothing_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "INSTALLED", False)

    with tracing.send_span("archon.feedback.v1", {}) as headers:
        assert headers == {}
    assert tracing.current_trace_headers() == {}
