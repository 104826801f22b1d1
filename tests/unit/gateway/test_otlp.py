"""Spans of agents: read, bounded, bound to the caller's tenant."""

import base64
import gzip
import json
from dataclasses import astuple

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from archon_contracts import telemetry
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.errors import MalformedBody, TooLarge
from services.gateway.otlp import DROPPED, JSON, MAX_SPANS, read_spans
from shared.telemetry.records import SpanRow

CALLER = Caller("acme", "agent", frozenset(Scope))
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def request(spans: int = 1, **fields: object) -> ExportTraceServiceRequest:
    exported = ExportTraceServiceRequest()
    group = exported.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "agent"
    scope = group.scope_spans.add()
    for number in range(spans):
        span = scope.spans.add(
            trace_id=b"t" * 16, span_id=number.to_bytes(8, "big"), name="answer", kind=3
        )
        span.start_time_unix_nano = START
        span.end_time_unix_nano = START + SECOND
        for name, value in fields.items():
            setattr(span, name, value)
    return exported


def read(body: bytes, encoding: str = "") -> tuple[list[SpanRow], int]:
    return read_spans(
        body,
        encoding=encoding,
        caller=CALLER,
        max_bytes=1_000_000,
    )


def test_a_span_becomes_a_row() -> None:
    exported = request(parent_span_id=b"p" * 8)

    rows, refused = read(exported.SerializeToString())

    (row,) = rows
    assert refused == 0
    assert (row.service, row.name, row.kind) == ("agent", "answer", "CLIENT")
    assert (row.trace_id, row.parent_id) == (b"t".hex() * 16, b"p".hex() * 8)
    assert (row.ended_at - row.started_at).total_seconds() == 1


def test_the_tenant_comes_from_the_caller() -> None:
    exported = request()
    attributes = exported.resource_spans[0].scope_spans[0].spans[0].attributes
    attributes.add(key=telemetry.TENANT_ID).value.string_value = "somebody-else"
    attributes.add(key="n").value.int_value = 3

    rows, _ = read(exported.SerializeToString())

    assert json.loads(rows[0].attributes) == {telemetry.TENANT_ID: "acme", "n": 3}


def test_a_span_keeps_what_fits_and_counts_what_does_not() -> None:
    exported = request(name="n" * 100_000)
    span = exported.resource_spans[0].scope_spans[0].spans[0]
    span.attributes.add(key="small").value.string_value = "kept"
    span.attributes.add(key="large").value.string_value = "x" * 500_000
    span.attributes.add(key="k" * 200_000).value.int_value = 1
    span.attributes.add(key="later").value.string_value = "kept too"
    for _ in range(10_000):
        span.links.add(trace_id=b"t" * 16, span_id=b"s" * 8)
    span.links.add(trace_id=b"x" * 100_000)

    rows, _ = read(exported.SerializeToString())

    attributes = json.loads(rows[0].attributes)
    assert (attributes["small"], attributes["later"]) == ("kept", "kept too")
    assert attributes[DROPPED] == 2
    # A trace of thousands of spans is read as a whole.
    assert sum(len(str(part)) for part in astuple(rows[0])) < 20_000


def test_a_compressed_body_is_decompressed() -> None:
    rows, _ = read(gzip.compress(request(3).SerializeToString()), "gzip")

    assert len(rows) == 3


def test_a_body_with_too_large_a_decompressed_size_is_refused() -> None:
    with pytest.raises(TooLarge, match="decompressed body"):
        read(gzip.compress(b"\x00" * 2_000_000), "gzip")


def test_too_many_spans_are_refused() -> None:
    exported = request(MAX_SPANS + 1)

    with pytest.raises(TooLarge, match="spans"):
        read(exported.SerializeToString())


@pytest.mark.parametrize(("body", "encoding"), [(b"\xff" * 9, ""), (b"no gzip", "gzip")])
def test_a_body_that_is_no_export_request_is_malformed(body: bytes, encoding: str) -> None:
    with pytest.raises(MalformedBody):
        read(body, encoding)


@pytest.mark.parametrize(
    "fields",
    [
        {"trace_id": b"short"},
        {"trace_id": bytes(16)},
        {"span_id": b""},
        {"parent_span_id": b"p" * 100_000},
        {"end_time_unix_nano": START - 1},
        {"end_time_unix_nano": 2**63},
        {"start_time_unix_nano": 0},
    ],
)
def test_a_span_without_valid_ids_and_times_is_counted_not_stored(
    fields: dict[str, object],
) -> None:
    assert read(request(**fields).SerializeToString()) == ([], 1)


def framed(number: int, content: bytes) -> bytes:
    """A length-delimited field of the wire format."""
    size, length = len(content), b""
    while size >= 0x80:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def in_request(scope_spans: bytes) -> bytes:
    return framed(1, framed(2, scope_spans))


EMPTY = 600_000
BOMBS = {
    "spans": in_request(framed(2, b"") * EMPTY),
    "links": in_request(framed(2, framed(13, b"") * EMPTY)),
    "attributes": in_request(framed(2, framed(9, b"") * EMPTY)),
    "events": in_request(framed(2, framed(11, b"") * EMPTY)),
    "resources": framed(1, b"") * EMPTY,
    "values": in_request(framed(2, framed(9, framed(2, framed(5, framed(1, b"") * EMPTY))))),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_request_of_empty_elements_is_refused_before_it_is_parsed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.otlp.ExportTraceServiceRequest.ParseFromString", None)

    with pytest.raises(TooLarge):
        read_spans(BOMBS[name], encoding="", caller=CALLER, max_bytes=8_000_000)


def test_spans_that_cannot_be_stored_count_too() -> None:
    with pytest.raises(TooLarge, match="spans"):
        read(request(MAX_SPANS + 1, trace_id=b"").SerializeToString())


def test_deep_values_are_refused() -> None:
    value = b""
    for _ in range(80):
        value = framed(5, framed(1, value))

    with pytest.raises(TooLarge, match="nested"):
        read(in_request(framed(2, framed(9, framed(2, value)))))


@pytest.mark.parametrize("number", [-1, -4, -7, -(2**31)])
def test_a_negative_enum_value_is_malformed(number: int) -> None:
    kind, code = request(kind=number), request()
    code.resource_spans[0].scope_spans[0].spans[0].status.code = number

    for exported in (kind, code):
        with pytest.raises(MalformedBody, match="negative"):
            read(exported.SerializeToString())


def test_json_is_read_like_protobuf() -> None:
    exported = request(2, parent_span_id=b"p" * 8)
    span = exported.resource_spans[0].scope_spans[0].spans[0]
    span.attributes.add(key="n").value.int_value = 3
    span.links.add(trace_id=b"l" * 16, span_id=b"m" * 8)
    document = json_format.MessageToDict(exported)
    for each in document["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        each.update(traceId=(b"t" * 16).hex(), spanId=base64.b64decode(each["spanId"]).hex())
        each.update(parentSpanId=(b"p" * 8).hex())
        for link in each.get("links", ()):
            link.update(traceId=(b"l" * 16).hex(), spanId=(b"m" * 8).hex())

    found = read_spans(
        json.dumps(document).encode(),
        encoding="",
        caller=CALLER,
        max_bytes=9_999,
        media_type=JSON,
    )

    assert found == read(exported.SerializeToString())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"resourceSpans": 1}',
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz"}]}]}]}',
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":7}]}]}]}',
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":-7}]}]}]}',
        b'{"resourceSpans":' + b"[" * 900 + b"]" * 900 + b"}",
    ],
)
def test_json_that_is_no_export_request_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        read_spans(body, encoding="", caller=CALLER, max_bytes=9_999, media_type=JSON)
