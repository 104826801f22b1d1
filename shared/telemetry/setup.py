"""OpenTelemetry's SDK, set up once per process."""

from __future__ import annotations

import asyncio
import contextlib
import threading

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    HistogramDataPoint,
    MetricExporter,
    MetricExportResult,
    MetricReader,
    MetricsData,
    NumberDataPoint,
    PeriodicExportingMetricReader,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from archon_contracts.namespace import NO_NAMESPACE, Namespace
from shared.telemetry.records import MetricRow, datetime_from_nanoseconds, span_row, to_json
from shared.telemetry.spans import SystemRandomIdGenerator, inherit_tenant
from shared.telemetry.store import TelemetryStore

METRICS_EXPORT_INTERVAL_MS = 15_000


class StoreSpanProcessor(SpanProcessor):
    """Passes each finished span to the store at once; the store never blocks."""

    def __init__(self, store: TelemetryStore) -> None:
        self._store = store

    def on_start(self, span: trace.Span, parent_context: Context | None = None) -> None:
        inherit_tenant(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        self._store.add(span_row(span))


class StoreMetricExporter(MetricExporter):
    """Sums and histogram means as rows."""

    def __init__(self, store: TelemetryStore) -> None:
        super().__init__()
        self._store = store

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: object
    ) -> MetricExportResult:
        for resource in metrics_data.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    counts = isinstance(metric.data, Sum) and metric.data.is_monotonic
                    for point in metric.data.data_points:
                        # Counters that begin with 0 are for alerts; here they would be rows.
                        if not (counts and isinstance(point, NumberDataPoint) and not point.value):
                            self._add(metric.name, point)
        return MetricExportResult.SUCCESS

    def _add(self, name: str, point: object) -> None:
        if isinstance(point, NumberDataPoint):
            kind, value = "number", float(point.value)
        elif isinstance(point, HistogramDataPoint) and point.count:
            kind, value = "mean", point.sum / point.count
        else:
            return
        attributes = to_json(dict(point.attributes or {}))
        self._store.add(
            MetricRow(
                datetime_from_nanoseconds(point.time_unix_nano), name, kind, value, attributes
            )
        )

    def shutdown(self, timeout_millis: float = 30_000, **_: object) -> None:
        """Nothing is buffered here."""

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Nothing is buffered here."""
        return True


def configure_telemetry(
    service: str,
    store: TelemetryStore,
    otlp_endpoint: str | None,
    namespace: Namespace = NO_NAMESPACE,
) -> TracerProvider:
    """Install tracer and meter providers; export to OTLP only when an endpoint is given."""
    resource = Resource.create(
        {"service.name": service, "service.namespace": namespace.qualify("archon")}
    )
    # Shut down by the application, in time: an exit handler would wait for a collector
    # that is away.
    tracer_provider = TracerProvider(
        resource=resource, id_generator=SystemRandomIdGenerator(), shutdown_on_exit=False
    )
    tracer_provider.add_span_processor(StoreSpanProcessor(store))
    readers: list[MetricReader] = [
        PeriodicExportingMetricReader(StoreMetricExporter(store), METRICS_EXPORT_INTERVAL_MS)
    ]
    if otlp_endpoint:
        spans, otlp_metrics = _otlp(otlp_endpoint)
        tracer_provider.add_span_processor(spans)
        readers.append(otlp_metrics)
    trace.set_tracer_provider(tracer_provider)
    metrics.set_meter_provider(
        MeterProvider(metric_readers=readers, resource=resource, shutdown_on_exit=False)
    )
    return tracer_provider


async def shut_down_telemetry(provider: TracerProvider, timeout_seconds: float) -> None:
    """Export what is left, for so long.

    The SDK waits half a minute for a collector that does not answer. A thread of an executor is
    waited for at the process's end; a daemon thread is not.
    """
    loop, over = asyncio.get_running_loop(), asyncio.Event()

    def export() -> None:
        provider.shutdown()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(over.set)

    threading.Thread(target=export, name="last telemetry", daemon=True).start()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_seconds):
            await over.wait()


def _otlp(endpoint: str) -> tuple[SpanProcessor, MetricReader]:
    # Imported only when used: it costs a quarter of a second and 10 MB.
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    base = endpoint.rstrip("/")
    spans = BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{base}/v1/traces", timeout=5))
    reader = PeriodicExportingMetricReader(
        OTLPMetricExporter(endpoint=f"{base}/v1/metrics", timeout=5), METRICS_EXPORT_INTERVAL_MS
    )
    return spans, reader
