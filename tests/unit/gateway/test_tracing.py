"""Which requests make a span."""

import pytest

from services.gateway.tracing import is_untraced


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
