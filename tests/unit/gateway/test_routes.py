"""Which routes are refused under load: those that queue a command, and no other."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from archon_contracts import telemetry
from services.gateway.auth.credentials import ALL_SCOPES, Caller
from services.gateway.errors import Overloaded
from services.gateway.http import problems
from services.gateway.load.load_shedding import Backpressure, InFlightLimit
from services.gateway.load.outbox_backlog import OutboxBacklog
from services.gateway.routes import build_http
from services.gateway.routes.dependencies import GatewayApi
from shared.clock import SystemClock
from shared.errors import DatabaseUnavailable
from tests.support.gateway.unpolled_monitor import build_unpolled_monitor

QUEUED = {
    "/v1/agents",
    "/v1/agents/{agent_id}/models",
    "/v1/agents/{agent_id}/models/{version}/archive",
    "/v1/agents/{agent_id}/models/{version}/deploy",
    "/v1/agents/{agent_id}/models/{version}/protect",
    "/v1/agents/{agent_id}/retention",
    "/v1/agents/{agent_id}/rollback",
    "/v1/dead-letters/{letter_id}/replay",
    "/v1/functions/adaptAgentBehavior",
    "/v1/functions/generateSyntheticTrainingData",
    "/v1/functions/trainAgent",
    "/v1/jobs",
    "/v1/jobs/{job_id}/cancel",
    "/v1/benchmarks/{benchmark_id}/cancel",
    "/v1/jobs/{job_id}/return-feedback",
    "/v1/synthetic/{request_id}/cancel",
}
SENT = {"/v1/annotations", "/v1/feedback", "/v1/feedback/retractions", "/v1/interactions"}
UUID = "0198c5a4-7d1e-7c3a-9f00-1f2e3d4c5b6a"


class AdmitAll:
    """Lets everybody in."""

    async def authenticate(self, **_: object) -> Caller:
        return Caller("default", "anybody", ALL_SCOPES)

    async def admit(self, **_: object) -> Caller:
        return Caller("default", "anybody", ALL_SCOPES)

    def require_events(self, _caller: Caller) -> None:
        return None

    def consume_events(self, _caller: Caller, _count: int) -> None:
        return None

    def charge_rejected_events(self, _caller: Caller, _count: int) -> None:
        return None


class UnavailableTransactions:
    """Transactions of a database that is not there."""

    @asynccontextmanager
    async def begin_read(self, _tenant_id: str) -> AsyncIterator[None]:
        raise DatabaseUnavailable("gone")
        yield

    begin_write = begin_read


NO_LIMITS = InFlightLimit("inflight_bytes", 0, "bytes"), InFlightLimit("requests", 0, "requests")


@pytest.fixture
def overloaded_backpressure() -> Iterator[Backpressure]:
    """Both kinds of load are too much."""
    watch = build_unpolled_monitor(backlog_limit=0)
    watch.evaluate(OutboxBacklog(age_seconds=42, backlog=1))
    # The wait grows with the age of the oldest reservation: no time passes in these tests.
    events = InFlightLimit("inflight_events", 1, "events", lambda: 0.0)
    with events.reserve(1, "acme"):
        yield Backpressure(watch, events, *NO_LIMITS)


@pytest.fixture
def app(overloaded_backpressure: Backpressure) -> Any:
    parts: dict[str, Any] = dict.fromkeys(each.name for each in fields(GatewayApi))
    settings = SimpleNamespace(gateway_body_limit_bytes=1024, gateway_body_timeout_seconds=5)
    ours = {
        "settings": settings,
        "admission": AdmitAll(),
        "backpressure": overloaded_backpressure,
        "transactions": UnavailableTransactions(),
        "queries": SimpleNamespace(store=None),
        "clock": SystemClock(),
    }
    return build_http(GatewayApi(**(parts | ours)))


@pytest.fixture
async def http(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(base_url="http://gateway", transport=transport) as client:
        yield client


def path_of(template: str) -> str:
    return re.sub(r"{\w+}", UUID, template)


async def test_every_route_that_queues_or_sends_is_refused_and_no_other(
    app: Any, http: httpx.AsyncClient
) -> None:
    refused, answers = set(), set()
    for template, operations in app.openapi()["paths"].items():
        # Streams without an end are not for this transport; see test_backpressure.py.
        for method in operations if template != "/v1/events" else ():
            answer = await http.request(method, path_of(template), json={})
            answers.add(answer.status_code)
            if answer.status_code == 429:
                refused.add(template)

    assert refused == QUEUED | SENT
    # The others fail for reasons of their own: no body, no database; `{}` is an export of no spans.
    assert answers <= {200, 415, 422, 429, 503}


@pytest.mark.parametrize(
    ("path", "limit", "wait"),
    [("/v1/jobs", "outbox_age_seconds", "42"), ("/v1/feedback", "inflight_events", "1")],
)
async def test_a_refusal_under_load_names_the_limit_and_the_wait(
    http: httpx.AsyncClient, path: str, limit: str, wait: str
) -> None:
    answer = await http.post(path, json={})

    assert (answer.status_code, answer.headers["retry-after"]) == (429, wait)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["limit"] == limit
    assert answer.json()["title"] == "Too Many Requests"


class RecordingCounter:
    """Keeps what was counted."""

    def __init__(self) -> None:
        self.counted: list[tuple[int, dict[str, str]]] = []

    def add(self, amount: int, attributes: dict[str, str]) -> None:
        self.counted.append((amount, attributes))


async def test_each_refusal_under_load_is_counted_with_its_limit(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = RecordingCounter()
    monkeypatch.setattr(problems, "shed_counter", counter)

    for path in ("/v1/jobs", "/v1/feedback", "/v1/datasets"):
        await http.post(path, json={})

    assert counter.counted == [
        (1, {telemetry.LIMIT_NAME: "outbox_age_seconds"}),
        (1, {telemetry.LIMIT_NAME: "inflight_events"}),
    ]


def test_every_operation_documents_that_it_may_be_refused_for_now(app: Any) -> None:
    operations = [each for path in app.openapi()["paths"].values() for each in path.values()]

    answers = [operation["responses"].get("429", {}) for operation in operations]

    assert all("Retry-After" in answer.get("headers", {}) for answer in answers)


def test_each_refusal_is_a_new_error(overloaded_backpressure: Backpressure) -> None:
    errors = []
    for _ in range(2):
        with pytest.raises(Overloaded) as refused:
            overloaded_backpressure.outbox.require_room()
        errors.append(refused.value)

    assert errors[0] is not errors[1]
