"""The child's side of `shared.work.child_pool`: read a spec, run it, report, return the result."""

from __future__ import annotations

import importlib
import os
import queue
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Any

import orjson
from opentelemetry import context, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

from archon_contracts import telemetry
from shared.errors import RetryableError
from shared.telemetry.records import SpanRow, span_row
from shared.telemetry.spans import SystemRandomIdGenerator, remote_context

Report = dict[str, Any]
EntryPoint = Callable[[dict[str, Any], Callable[[Report], None]], dict[str, Any]]


def encode(message: dict[str, Any]) -> bytes:
    """A message for the pipe: JSON, times as ISO 8601."""
    return orjson.dumps(message, default=str, option=orjson.OPT_SERIALIZE_NUMPY)


class Channel:
    """Sends whole messages; a lock serialises the threads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        """Write one message; a closed pipe means that the service no longer reads."""
        with self._lock:
            try:
                self._connection.send_bytes(encode(message))
            except (BrokenPipeError, OSError):
                # At once: whatever is computed now has no reader, and exit handlers may wait.
                os._exit(1)

    def report(self, report: Report) -> None:
        """Report progress; the entry point calls it."""
        self.send({"type": "report", "report": report})


class ChannelSpanProcessor(SpanProcessor):
    """Sends finished spans to the service, which stores them; their tenant is that of the work."""

    def __init__(self, channel: Channel, tenant_id: str) -> None:
        self._channel = channel
        self.tenant_id = tenant_id

    def on_start(self, span: trace.Span, parent_context: context.Context | None = None) -> None:
        span.set_attribute(telemetry.TENANT_ID, self.tenant_id)

    def on_end(self, span: ReadableSpan) -> None:
        self._channel.send({"type": "span", "span": asdict(span_row(span))})


def child_main(connection: Connection) -> None:
    """The entry point of every child."""
    channel = Channel(connection)
    try:
        request = orjson.loads(connection.recv_bytes())
    except EOFError:  # the service is gone before it had work for this child
        return
    # A thread: the entry point may compute for minutes without looking at the pipe.
    threading.Thread(target=_exit_when_service_ends, args=(connection,), daemon=True).start()
    _export_spans(channel, request)
    answer_request(channel, request)


def _export_spans(channel: Channel, request: Mapping[str, Any]) -> ChannelSpanProcessor:
    """Send this process's spans to the service."""
    provider = TracerProvider(
        resource=Resource.create({"service.name": request["service"]}),
        id_generator=SystemRandomIdGenerator(),
        # Spans leave one by one through the pipe; at the exit nothing is left to flush.
        shutdown_on_exit=False,
    )
    processor = ChannelSpanProcessor(channel, request["tenant_id"])
    provider.add_span_processor(processor)
    trace.set_tracer_provider(provider)
    return processor


def answer_request(channel: Channel, request: Mapping[str, Any]) -> None:
    """Do one request's work below its trace, and send the result or the error."""
    module, _, function = str(request["entry"]).partition(":")
    # The standard carrier for libraries that look for it in the environment.
    os.environ["TRACEPARENT"] = request["traceparent"]
    token = context.attach(remote_context(request["traceparent"]))
    try:
        channel.send(_answer(module, function, request["spec"], channel))
    finally:
        context.detach(token)


def resident_main(connection: Connection) -> None:
    """The entry point of a child that stays: one request after another, until the pipe closes."""
    channel, requests = Channel(connection), queue.SimpleQueue[dict[str, Any]]()
    threading.Thread(target=_receive_requests, args=(connection, requests), daemon=True).start()
    processor: ChannelSpanProcessor | None = None
    while True:
        request = requests.get()
        if processor is None:
            processor = _export_spans(channel, request)
        # The next request may be another tenant's; its spans must be that one's too.
        processor.tenant_id = request["tenant_id"]
        answer_request(channel, request)


def _receive_requests(connection: Connection, requests: queue.SimpleQueue[dict[str, Any]]) -> None:
    """Read beside the work, so that the end of the service is noticed while it goes on."""
    while True:
        try:
            requests.put(orjson.loads(connection.recv_bytes()))
        except (EOFError, OSError):
            os._exit(0)


def _answer(module: str, function: str, spec: dict[str, Any], channel: Channel) -> dict[str, Any]:
    try:
        entry: EntryPoint = getattr(importlib.import_module(module), function)
        return {"type": "result", "result": entry(spec, channel.report)}
    except MemoryError:
        # Worth another try: the memory may have been another process's.
        return _error("MemoryError", "the child ran out of memory", retryable=True)
    except Exception as error:  # noqa: BLE001  every error must reach the service as an answer
        traceback.print_exc()
        name, text = type(error).__name__, str(error) or type(error).__name__
        return _error(name, text, retryable=isinstance(error, (RetryableError, OSError)))


def _error(error_type: str, message: str, *, retryable: bool) -> dict[str, Any]:
    return {"type": "error", "error_type": error_type, "message": message, "retryable": retryable}


def _exit_when_service_ends(connection: Connection) -> None:
    """Exit when the service is gone: it writes nothing after the spec, so a read ends only then."""
    try:
        connection.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)


def parse_span_row(span: dict[str, Any]) -> SpanRow:
    """A span as read from the pipe."""
    times = {name: datetime.fromisoformat(span[name]) for name in ("started_at", "ended_at")}
    return SpanRow(**{**span, **times})
