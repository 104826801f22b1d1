"""Calls of the Python SDK and the OpenAPI document: each call is a request that it describes."""

import json
import re
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from archon_contracts.client import Archon, AsyncArchon
from archon_contracts.events import (
    AnnotationSubmitted,
    FeedbackReceived,
    FeedbackRetracted,
    InteractionLogged,
)
from archon_contracts.values import ArtifactRef
from tests.reference import build_openapi

ID = "0198c0de-0000-7000-8000-000000000001"
FEEDBACK = FeedbackReceived(agent_id="a", interaction_id="i", input="q", rating=4)
LABEL = AnnotationSubmitted(agent_id="a", item_id="i", annotator_id="n", input="q", label="x")
ARTIFACT = ArtifactRef(uri="file:///m", digest="a" * 64)
REASON = {"reason": "r"}
CALLS: dict[str, dict[str, tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "": {
        "train_agent": (("a",), {"method": "supervised", "dataset": "d", "epochs": 3}),
        "adapt_agent_behavior": (("a",), {"feedback": [{"input": "q"}], "method": "continual"}),
        "generate_synthetic_training_data": (("s",), {"count": 3}),
        "synthetic": ((ID,), {}),
        "cancel_synthetic": ((ID,), REASON),
        "validate_model": (("a",), {"golden": "g"}),
        "benchmark_agent": (("a",), {"repeats": 2}),
        "benchmark": ((ID,), {}),
        "cancel_benchmark": ((ID,), REASON),
        "benchmark_report": ((ID, "r.json"), {}),
        "analyze_agent_logs": (("a",), {"hours": 2}),
        "log_analysis": ((ID,), {}),
        "costs": ((), {"agent_id": "a", "days": 7}),
        "status": ((), {}),
    },
    "agents": {
        "configure": (("a",), {"kind": "classifier", "base_model": "m", "labels": ["x"]}),
        "get": (("a",), {}),
        "curriculum": (("a",), {}),
        "feedback_history": (("a",), {"days": 7}),
        "list": ((), {}),
    },
    "datasets": {
        "upload": (("d", [{"input": "q"}]), {}),
        "get": (("d",), {}),
        "list": ((), {}),
        "quality": (("a", 2), {}),
        "changes": (("a", 2), {"since": 1}),
    },
    "jobs": {
        "start": (("a",), {"method": "supervised"}),
        "get": ((ID,), {}),
        "list": ((), {"state": "failed"}),
        "cancel": ((ID,), REASON),
        "return_feedback": ((ID,), REASON),
        "series": ((ID,), {}),
        "curves": ((ID, "loss"), {}),
        "metrics": ((ID,), {}),
        "trace": ((ID,), {}),
        "report": ((ID,), {}),
    },
    "models": {
        "list": (("a", "status=ready"), {}),
        "get": (("a", "1.0.0"), {}),
        "lineage": (("a", "1.0.0"), {}),
        "compare": (("a", "1.0.0", "1.1.0"), {}),
        "report": (("a", "1.0.0"), {}),
        "deployed": (("a",), {}),
        "deployments": (("a",), {}),
        "assignment": (("a",), {"unit_id": "u"}),
        "deploy": (("a", "1.0.0"), REASON),
        "roll_back": (("a",), REASON),
        "archive": (("a", "1.0.0"), REASON),
        "protect": (("a", "1.0.0"), REASON),
        "retain": (("a",), {"keep_newest": 3, **REASON}),
        "import_model": (("a", ARTIFACT), {"source": "s", **REASON}),
    },
    "reviews": {
        "add": (("a",), {"kind": "rubric", "items": [{"request": "q", "answers": ["x"]}]}),
        "get": (("a",), {}),
        "next": (("a",), {}),
        "choose": ((ID, "good"), {"comment": "c"}),
        "skip": ((ID,), {}),
        "undo": (("a",), {}),
    },
    "experiments": {"list": ((), {"agent_id": "a", "state": "running"}), "get": ((ID,), {})},
    "feedback": {
        "send": ((FEEDBACK,), {}),
        "give": (("a", "q"), {"rating": 4}),
        "retract": ((FeedbackRetracted(agent_id="a", interaction_id="i"),), {}),
        "log_interactions": (
            ([InteractionLogged(agent_id="a", interaction_id="i", input="q")],),
            {},
        ),
        "annotate": ((LABEL,), {}),
    },
    "keys": {
        "create": (("k",), {"scopes": ["read"]}),
        "list": ((), {}),
        "revoke": ((ID,), {}),
        "sign_in_link": ((), {}),
    },
    "webhooks": {
        "create": (("https://example.org/hook",), {"events": ["deployment"]}),
        "list": ((), {}),
        "deliveries": ((ID,), {}),
        "remove": ((ID,), {}),
    },
    "audit": {"list": ((), {"agent_id": "a"}), "verify": ((), {})},
    "dead_letters": {"list": ((), {}), "get": (("l",), {}), "replay": (("l",), {})},
}
UNTYPED = {
    "POST /v1/traces": "an OpenTelemetry exporter sends spans",
    "GET /v1/jobs/{job_id}/report.html": "a page for a browser",
    "GET /v1/agents/{agent_id}/models/{version}/report.html": "a page for a browser",
    "GET /v1/agents/{agent_id}/datasets/{dataset_version}/quality.html": "a page for a browser",
    "GET /v1/events": "a stream, tested against a served gateway",
}
EACH_CALL = [(group, method) for group, methods in CALLS.items() for method in methods]


class Sent(Exception):
    """Carries the request out of the client."""

    def __init__(self, request: httpx.Request) -> None:
        super().__init__()
        self.request = request


Requests = Mapping[tuple[str, str], httpx.Request]


@pytest.fixture(scope="module")
def requests() -> Requests:
    """What each call would send."""

    def catch(request: httpx.Request) -> httpx.Response:
        raise Sent(request)

    found = {}
    with Archon("http://gateway", "key", transport=httpx.MockTransport(catch)) as archon:
        for group, method in EACH_CALL:
            arguments, options = CALLS[group][method]
            target = getattr(archon, group) if group else archon
            with pytest.raises(Sent) as caught:
                getattr(target, method)(*arguments, **options)
            found[group, method] = caught.value.request
    return found


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return json.loads(json.dumps(build_openapi()))


def operation_of(document: Mapping[str, Any], request: httpx.Request) -> tuple[str, Any]:
    """The operation that a request is one of; plain paths before those with parameters."""
    for path in sorted(document["paths"], key=lambda path: path.count("{")):
        pattern = re.sub(r"\{[^}]+\}", "[^/]+", path)
        found = document["paths"][path].get(request.method.lower())
        if found and re.fullmatch(pattern, request.url.path):
            return f"{request.method} {path}", found
    raise AssertionError(f"the API has no {request.method} {request.url.path}")


def object_schema(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of an operation's body, of those that may be sent the one with all fields."""
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    options = [part for part in schema.get("anyOf", [schema]) if part.get("type") != "null"]
    if "$ref" in options[0]:
        found: Mapping[str, Any] = document["components"]["schemas"][
            options[0]["$ref"].rpartition("/")[2]
        ]
        return found
    batches = [part for part in options if "events" in part.get("properties", {})]
    return (batches or options)[0]


@pytest.mark.parametrize(("group", "method"), EACH_CALL)
async def test_a_call_is_a_request_that_the_api_describes(
    document: dict[str, Any], requests: Requests, group: str, method: str
) -> None:
    request = requests[group, method]

    _, operation = operation_of(document, request)
    queries = {each["name"] for each in operation.get("parameters", []) if each["in"] == "query"}
    assert set(request.url.params) <= queries
    if "requestBody" in operation:
        schema, body = object_schema(document, operation), json.loads(request.content)
        assert set(schema.get("required", ())) <= set(body) <= set(schema["properties"])


async def test_every_operation_has_a_method(document: dict[str, Any], requests: Requests) -> None:
    covered = {operation_of(document, request)[0] for request in requests.values()}

    every = {f"{m.upper()} {path}" for path, each in document["paths"].items() for m in each}
    assert every - covered == set(UNTYPED)


async def test_a_write_is_repeated_under_the_same_key() -> None:
    keys: list[str] = []

    def busy_once(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) == 1:
            return httpx.Response(429, headers={"Retry-After": "0"})
        return httpx.Response(202, json={"job_id": ID, "trace_id": ""})

    async with AsyncArchon(
        "http://gateway", "key", transport=httpx.MockTransport(busy_once)
    ) as archon:
        first = await archon.jobs.start("a", method="supervised")
        second = await archon.jobs.start("a", method="supervised")

    assert str(first.job_id) == str(second.job_id) == ID
    assert keys[0] == keys[1] != keys[2]


async def test_a_field_of_a_newer_gateway_is_ignored() -> None:
    job = {
        "job_id": ID,
        "agent_id": "a",
        "method": "a new one",
        "state": "a new state",
        "attempt": 1,
        "reason": "",
        "trace_id": "",
        "created_at": "2026-01-01T00:00:00Z",
        "a_new_field": 1,
    }
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"items": [job]}))

    async with AsyncArchon("http://gateway", "key", transport=transport) as archon:
        (found,) = await archon.jobs.list()

    assert (found.method, found.state) == ("a new one", "a new state")
