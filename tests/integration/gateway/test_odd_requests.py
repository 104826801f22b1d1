"""No door answers odd input with an error of ours: every route, parameter and field of a body."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.reference import build_openapi
from tests.support.gateway.gateway import Serve, ServedGateway

AGENT = "odd"
AT_ONCE = 32
Request = tuple[str, str, dict[str, Any]]
RAW_SURROGATE = "\\ud800"
ODD_TEXTS = (
    "",
    " ",
    "\x00",
    "..",
    "a/b",
    "%2e%2e%2f",
    "\u200b",
    "\U0001f600",
    "e\u0301" * 50,
    "x" * 5_000,
    "'; DROP TABLE agents; --",
    "null",
    "2026-01-01T00:00:00",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-12:00",
    "1e309",
    "9" * 40,
    "-1",
)
ODD_VALUES = (
    *ODD_TEXTS,
    None,
    True,
    0,
    -1,
    2**63,
    10**40,
    -0.0,
    1e308,
    5e-324,
    [],
    {},
    [[]],
    [None],
    {"": ""},
    {"a": {"b": [1, {"c": None}]}},
)
ITEM = {"id": "1", "input": "q", "target": "a", "group": "g", "weight": 1.0, "occurred_at": None}
EVENT = {
    "agent_id": AGENT,
    "interaction_id": "i",
    "input": "q",
    "actual": "a",
    "expected": "b",
    "rating": 3,
    "reward": 0.5,
    "unit_id": "u",
    "source": "user",
    "context": {"k": 1},
    "occurred_at": "2026-01-01T00:00:00Z",
    "model_version": "1.0.0",
    "traffic_class": "production",
}
CONFIG = {"epochs": 1, "learning_rate": 0.1, "seed": 1, "validation_split": 0.1, "batch_size": 8}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/feedback": {"events": [EVENT]},
    "/v1/feedback/retractions": {"agent_id": AGENT, "interaction_id": "i", "reason": "r"},
    "/v1/interactions": {"agent_id": AGENT, "interaction_id": "i", "input": "q", "output": "a"},
    "/v1/annotations": {
        "agent_id": AGENT,
        "item_id": "i",
        "annotator_id": "a",
        "input": "q",
        "label": "l",
        "confidence": 0.5,
    },
    "/v1/agents": {
        "agent_id": AGENT,
        "kind": "classifier",
        "base_model": "pypi:m",
        "labels": ["a", "b"],
        "catalogue": [{"name": "n", "description": "d"}],
        "evaluation_dataset": "none",
        "trigger": {"minimum_feedback": 1, "cooldown_seconds": 1, "rating_drop": 1},
        "gate": {"maximum_p_value": 0.05, "never_regress": ["1"], "undecided_groups": "accept"},
        "training": CONFIG,
        "priority": 0,
        "reason": "r",
    },
    "/v1/datasets": {"name": "d", "purpose": "training", "items": [ITEM]},
    "/v1/jobs": {"agent_id": AGENT, "method": "supervised", "dataset": "d", "config": CONFIG},
    "/v1/keys": {"name": "k", "scopes": ["read"], "agents": [AGENT], "tenant_id": "default"},
    "/v1/functions/trainAgent": {
        "agentId": AGENT,
        "config": {"method": "supervised", "dataset": "d", "validation": {"split": 0.1}},
    },
    "/v1/functions/adaptAgentBehavior": {
        "agentId": AGENT,
        "method": "continual",
        "feedback": [{"input": "q", "expected": "a", "rating": 3}],
    },
    "/v1/functions/generateSyntheticTrainingData": {
        "agentId": AGENT,
        "scenarioType": "s",
        "count": 1,
        "examples": "d",
        "diversity": 0.5,
        "seed": 1,
    },
    "/v1/functions/validateModel": {"agentId": AGENT, "version": "1.0.0"},
    "/v1/functions/benchmarkAgent": {"agentId": AGENT, "versions": ["1.0.0"]},
    "/v1/functions/analyzeAgentLogs": {
        "agentId": AGENT,
        "hours": 1,
        "logs": [{"input": "q", "rating": 3, "at": "2026-01-01T00:00:00Z", "latencySeconds": 1}],
    },
}
"""A whole body of each route, so that an odd field is not hidden by a missing one."""
SHORT_BODY = {"reason": "r", "to_version": "1.0.0"}
STREAMS = {"/v1/events"}
ODD_HEADERS = ("", "x" * 3_000, "\u00e9", "00-zz-zz-01", "a=b;c,,=", '"', "application/x")
HEADERS = ("idempotency-key", "traceparent", "baggage", "content-type", "accept", "tracestate")


def _variants(body: Any, place: int = 0) -> Iterator[Any]:
    """The body with one part of it replaced by odd values.

    Each part gets every fourth value, the next part the ones after those: all of them for all parts
    would take minutes.
    """
    yield from ODD_VALUES[place % 4 :: 4]
    if isinstance(body, dict):
        for number, (key, part) in enumerate(body.items()):
            for other in _variants(part, place + number):
                yield body | {key: other}
        yield body | {"unknown": 1}
    if isinstance(body, list) and body:
        for other in _variants(body[0], place + 1):
            yield [other]


def _routes() -> list[tuple[str, str, list[dict[str, Any]]]]:
    paths = build_openapi()["paths"]
    return [
        (method, path, operation.get("parameters", []))
        for path, operations in sorted(paths.items())
        for method, operation in operations.items()
        if path not in STREAMS
    ]


ROUTES = _routes()

pytestmark = pytest.mark.timeout(180)  # thousands of requests, beside other tests


@pytest.fixture
async def open_gateway(serve: Serve) -> AsyncIterator[ServedGateway]:
    """Without limits on requests, which would hide what is behind them."""
    limits = {
        "gateway_requests_per_second": 1_000_000.0,
        "gateway_events_per_second": 1_000_000.0,
        "gateway_agent_wait_seconds": 0.01,
    }
    async with serve(**limits) as gateway:
        yield gateway


class _Failures:
    """Answers that blame us, each with what was sent."""

    def __init__(self, gateway: ServedGateway) -> None:
        self._gateway = gateway
        self._places = asyncio.Semaphore(AT_ONCE)
        self.found: list[str] = []
        self.asked = 0

    async def send_all(self, requests: Iterable[Request]) -> None:
        await asyncio.gather(*(self._send(*request) for request in requests))

    async def _send(self, method: str, path: str, options: dict[str, Any]) -> None:
        async with self._places:
            answer = await self._gateway.http.request(method, path, **options)
        self.asked += 1
        if answer.status_code >= 500:
            sent = str(options)[:300]
            self.found.append(
                f"{answer.status_code} {method} {path[:80]} {sent}: {answer.text[:200]}"
            )


def _encode(body: Any) -> bytes:
    return json.dumps(body).replace('"SURROGATE"', f'"{RAW_SURROGATE}"').encode()


async def test_no_route_fails_for_what_is_in_a_body(open_gateway: ServedGateway) -> None:
    await open_gateway.configure_agent(AGENT)
    failures = _Failures(open_gateway)
    json_type = {"content-type": "application/json"}

    for _, path, _ in (route for route in ROUTES if route[0] == "post"):
        bodies = [*_variants(BODIES.get(path, SHORT_BODY)), "SURROGATE", {"a": "SURROGATE"}]
        options = [{"content": _encode(body), "headers": json_type} for body in bodies]
        await failures.send_all(("POST", _fill(path), each) for each in options)

    assert failures.asked > 800
    assert failures.found == []


async def test_no_route_fails_for_what_is_in_its_parameters_and_headers(
    open_gateway: ServedGateway,
) -> None:
    await open_gateway.configure_agent(AGENT)
    failures = _Failures(open_gateway)

    for method, path, parameters in ROUTES:
        await failures.send_all(_odd_calls(method.upper(), path, parameters))

    assert failures.asked > 300
    assert failures.found == []


def _odd_calls(method: str, path: str, parameters: list[dict[str, Any]]) -> Iterator[Request]:
    for text in ODD_TEXTS[len(path) % 2 :: 2]:
        for each in parameters:
            if each["in"] == "query":
                yield method, _fill(path), {"params": {each["name"]: text}}
        if "{" in path:
            inner = {each["name"]: text for each in parameters if each["in"] == "path"}
            yield method, path.format_map(_Quoted(inner)), {}
    if method != "POST":
        return
    for name in HEADERS:
        for text in ODD_HEADERS[len(path) % 3 :: 3]:
            headers = {name: text.encode("latin-1")}
            yield method, _fill(path), {"headers": headers, "content": b"{}"}


def _fill(path: str) -> str:
    return path.replace("{agent_id}", AGENT).replace("{version}", "1.0.0")


class _Quoted(dict[str, str]):
    """Texts as parts of a path."""

    def __getitem__(self, name: str) -> str:
        return quote(super().__getitem__(name), safe="") or "%20"
