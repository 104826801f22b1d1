"""OTLP spans from agents as rows of the trace store."""

from __future__ import annotations

import base64
import gzip
import io
import zlib
from collections.abc import Iterator
from typing import Any, Final

import orjson
from google.protobuf import json_format  # type: ignore[import-untyped]  # has no types
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # has no types
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from archon_contracts import telemetry
from services.gateway.auth.credentials import Caller
from services.gateway.errors import MalformedBody, TooLarge
from services.gateway.http.body_gate import MAX_JSON_ELEMENTS, count_elements
from services.gateway.otlp_bounds import require_bounded
from shared.telemetry.records import SpanRow, datetime_from_nanoseconds, to_json
from shared.telemetry.spans import traceparent_of

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
ID_FIELDS: Final = frozenset({"traceId", "spanId", "parentSpanId"})
MAX_SPANS: Final = 5_000
MAX_TEXT_LENGTH: Final = 1_000
MAX_ATTRIBUTES_BYTES: Final = 8_192
MAX_LINKS: Final = 100
"""Of one span: a trace of thousands of spans is read as a whole."""
DROPPED: Final = "otel.dropped_attributes_count"
LATEST_NANOSECONDS: Final = 4_102_444_800 * 10**9  # the year 2100
# By OTLP's numbers: 0 is "not specified", which a receiver may take for internal.
KINDS: Final = ("INTERNAL", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
STATUSES: Final = ("UNSET", "OK", "ERROR")


def read_spans(
    body: bytes, *, encoding: str, caller: Caller, max_bytes: int, media_type: str = PROTOBUF
) -> tuple[list[SpanRow], int]:
    """The spans of an OTLP export request that can be stored, and how many cannot.

    Takes up to a second: call it in a thread.

    Raises:
        MalformedBody: invalid gzip, no such message, or a negative enum value.
        TooLarge: more bytes, fields or spans than one request may have.
    """
    try:
        content = _decompressed(body, encoding, max_bytes)
        request = _read_json(content) if media_type == JSON else _read_protobuf(content)
    except (DecodeError, OSError, EOFError, zlib.error, ValueError) as error:
        raise MalformedBody(f"the body is no OTLP trace request: {str(error)[:200]}") from error
    rows: list[SpanRow] = []
    refused = 0
    for service, span in _spans(request):
        if len(rows) + refused >= MAX_SPANS:
            raise TooLarge(f"a request may have {MAX_SPANS} spans at most")
        row = _row(span, service, caller)
        if row is None:
            refused += 1
        else:
            rows.append(row)
    return rows, refused


def write_answer(refused: int, media_type: str) -> bytes:
    """The answer, in the encoding of the request."""
    partial = ExportTracePartialSuccess(rejected_spans=refused) if refused else None
    answer = ExportTraceServiceResponse(partial_success=partial)
    if media_type == JSON:
        text: str = json_format.MessageToJson(answer, indent=None)
        return text.encode()
    content: bytes = answer.SerializeToString()
    return content


def _read_protobuf(content: bytes) -> ExportTraceServiceRequest:
    require_bounded(content, ExportTraceServiceRequest)
    request = ExportTraceServiceRequest()
    request.ParseFromString(content)
    return request


def _read_json(content: bytes) -> ExportTraceServiceRequest:
    """OTLP's JSON: that of protobuf, but ids are hexadecimal."""
    if count_elements(content) > MAX_JSON_ELEMENTS:
        raise TooLarge(f"a request may have {MAX_JSON_ELEMENTS} JSON elements at most")
    document = orjson.loads(content)
    for span in _json_spans(document):
        for place in (span, *_dicts(span.get("links"))):
            for name in ID_FIELDS & place.keys():
                place[name] = base64.b64encode(bytes.fromhex(str(place[name]))).decode()
    request = ExportTraceServiceRequest()
    try:
        # OTLP requires receivers to ignore fields that they do not know.
        json_format.ParseDict(document, request, ignore_unknown_fields=True, max_recursion_depth=64)
    except (json_format.Error, RecursionError) as error:
        raise MalformedBody(f"the body is no OTLP trace request: {str(error)[:200]}") from error
    return request


def _json_spans(document: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(document, dict):
        raise MalformedBody("the body is no OTLP trace request: it is no JSON object")
    for group in _dicts(document.get("resourceSpans")):
        for scope in _dicts(group.get("scopeSpans")):
            yield from _dicts(scope.get("spans"))


def _dicts(found: Any) -> list[dict[str, Any]]:
    """The objects of a list; what is none is left to the parser to name."""
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _decompressed(body: bytes, encoding: str, max_bytes: int) -> bytes:
    if encoding != "gzip":
        return body
    # One byte above the limit shows that it is exceeded; a compression bomb is never
    # unpacked whole.
    content = gzip.GzipFile(fileobj=io.BytesIO(body)).read(max_bytes + 1)
    if len(content) > max_bytes:
        raise TooLarge(f"the decompressed body has more than {max_bytes} bytes")
    return content


def _spans(request: ExportTraceServiceRequest) -> Iterator[tuple[str, Span]]:
    for group in request.resource_spans:
        resource = _attributes(group.resource.attributes)
        service = str(resource.get("service.name", "unknown"))
        for scope in group.scope_spans:
            for span in scope.spans:
                yield service, span


def _row(span: Span, service: str, caller: Caller) -> SpanRow | None:
    """A row; None for a span without valid ids and times, or of an agent of another key."""
    if span.kind < 0 or span.status.code < 0:
        raise MalformedBody("a span has a negative kind or status code; see OTLP's enums")
    times = span.start_time_unix_nano, span.end_time_unix_nano
    if len(span.trace_id) != 16 or len(span.span_id) != 8 or not any(span.trace_id):
        return None
    if len(span.parent_span_id) not in (0, 8):
        return None
    if not 0 < times[0] <= times[1] <= LATEST_NANOSECONDS:
        return None
    attributes = _attributes(span.attributes)
    # A key that is bound to agents writes no spans in the name of others.
    if telemetry.AGENT_ID in attributes and not caller.may_name(
        str(attributes[telemetry.AGENT_ID])
    ):
        return None
    # The tenant comes from the API key, whatever the sender wrote.
    attributes = _bounded(attributes) | {telemetry.TENANT_ID: caller.tenant_id}
    links = [
        traceparent_of(link.trace_id.hex(), link.span_id.hex())
        for link in span.links[:MAX_LINKS]
        if len(link.trace_id) == 16 and len(link.span_id) == 8
    ]
    return SpanRow(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        service=_text(service),
        name=_text(span.name),
        kind=KINDS[span.kind] if span.kind < len(KINDS) else "INTERNAL",
        started_at=datetime_from_nanoseconds(times[0]),
        ended_at=datetime_from_nanoseconds(times[1]),
        status=STATUSES[span.status.code] if span.status.code < len(STATUSES) else "UNSET",
        error=_text(span.status.message),
        attributes=to_json(attributes),
        links=to_json(links),
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _any(pair.value) for pair in pairs}


def _bounded(attributes: dict[str, Any]) -> dict[str, Any]:
    """The attributes that fit into a span, in their order, and the number of the others."""
    kept: dict[str, Any] = {}
    left = MAX_ATTRIBUTES_BYTES
    for name, value in attributes.items():
        size = len(to_json({name: value}))
        if size <= left:
            kept[name], left = value, left - size
    dropped = len(attributes) - len(kept)
    return kept | {DROPPED: dropped} if dropped else kept


def _any(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_any(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {item.key: _any(item.value) for item in value.kvlist_value.values}
    if kind == "bytes_value":
        return value.bytes_value.hex()
    return getattr(value, kind)


def _text(text: str) -> str:
    return text.replace("\x00", "")[:MAX_TEXT_LENGTH]
