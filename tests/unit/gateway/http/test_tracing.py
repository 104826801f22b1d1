"""Which requests make a span, and which trace a refusal names."""

import pytest
from starlette.requests import Request

from services.gateway.http.tracing import find_trace_id, is_untraced


@pytest.mark.parametrize(
    ("method", "path", "untraced"),
    [
        ("GET", "/v1/jobs", True),
        ("POST", "/v1/jobs", False),
        ("POST", "/v1/feedback", True),
        ("POST", "/v1/feedback/retractions", True),
        ("POST", "/v1/traces", True),
        ("POST", "/v1/functions/trainAgent", False),
    ],
)
def test_only_requests_that_change_something_make_a_server_span(
    method: str, path: str, untraced: bool
) -> None:
    assert is_untraced({"method": method, "path": path}) is untraced


@pytest.mark.parametrize(
    ("headers", "trace_id"),
    [([], ""), ([(b"traceparent", f"00-{'d' * 32}-{'e' * 16}-01".encode())], "d" * 32)],
)
def test_a_request_without_a_span_is_in_its_senders_trace_or_in_none(
    headers: list[tuple[bytes, bytes]], trace_id: str
) -> None:
    request = Request({"type": "http", "path": "/v1/feedback", "headers": headers})

    assert find_trace_id(request) == trace_id
