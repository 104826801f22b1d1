"""A key that is bound to agents tries every route with the names of another agent's things.

The table must cover the OpenAPI document, so that a new route is tried or named here.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from archon_contracts import telemetry
from archon_contracts.events import AgentConfigured
from archon_contracts.values import AgentProfile
from tests.support.eventually import eventually
from tests.support.gateway.gateway import ServedGateway
from tests.support.gateway.two_tenants import BETA, MARK, TRACE, Names, client_of, move_in, spans

pytestmark = pytest.mark.asyncio(loop_scope="module")

OWN = "own-agent"
RATED = {"interaction_id": "i", "input": "q", "actual": "a", "rating": 5}
CONFIGURED = {"kind": "classifier", "base_model": "pypi:m", "labels": ["yes", "no"]}
MIXED = [RATED | {"agent_id": OWN}, RATED | {"agent_id": "{agent}"}]
IMPORTED = {
    "artifact": {"uri": "file:///m", "digest": "0" * 64},
    "source": "elsewhere",
    "reason": "mine now",
}
REVIEWED = {"kind": "rubric", "items": [{"request": "q", "answers": ["a"]}]}
SYNTHETIC = {"agentId": "{agent}", "scenarioType": "s", "count": 1}
NAMING: tuple[tuple[str, str, Any, int], ...] = (
    ("POST", "/v1/feedback", RATED | {"agent_id": "{agent}"}, 403),
    ("POST", "/v1/feedback", MIXED, 403),
    ("POST", "/v1/feedback/retractions", {"agent_id": "{agent}", "interaction_id": "i"}, 403),
    ("POST", "/v1/interactions", {"agent_id": "{agent}", "interaction_id": "i", "input": "q"}, 403),
    (
        "POST",
        "/v1/annotations",
        {"agent_id": "{agent}", "item_id": "i", "annotator_id": "a", "input": "q", "label": "l"},
        403,
    ),
    ("POST", "/v1/agents", {"agent_id": "{agent}"} | CONFIGURED, 403),
    ("GET", "/v1/agents/{agent}", None, 403),
    ("GET", "/v1/agents/{agent}/models", None, 403),
    ("GET", "/v1/agents/{agent}/deployments", None, 403),
    ("GET", "/v1/agents/{agent}/deployed", None, 403),
    ("GET", "/v1/agents/{agent}/assignment", None, 403),
    ("GET", "/v1/agents/{agent}/curriculum", None, 403),
    ("GET", "/v1/agents/{agent}/feedback-history", None, 403),
    ("GET", "/v1/agents/{agent}/models/{version}", None, 403),
    ("GET", "/v1/agents/{agent}/models/{version}/report", None, 403),
    ("GET", "/v1/agents/{agent}/models/{version}/report.html", None, 403),
    ("GET", "/v1/agents/{agent}/datasets/{dataset_version}/quality", None, 403),
    ("GET", "/v1/agents/{agent}/datasets/{dataset_version}/quality.html", None, 403),
    (
        "GET",
        "/v1/agents/{agent}/datasets/{dataset_version}/changes?since={dataset_version}",
        None,
        403,
    ),
    ("POST", "/v1/agents/{agent}/models/{version}/deploy", {"reason": "mine now"}, 403),
    ("GET", "/v1/agents/{agent}/models/{version}/lineage", None, 403),
    ("GET", "/v1/agents/{agent}/models/{version}/compare/{version}", None, 403),
    ("POST", "/v1/agents/{agent}/models", IMPORTED, 403),
    ("POST", "/v1/agents/{agent}/models/{version}/archive", {"reason": "mine now"}, 403),
    ("POST", "/v1/agents/{agent}/models/{version}/protect", {"reason": "mine now"}, 403),
    ("POST", "/v1/agents/{agent}/retention", {"keep_newest": 1, "reason": "mine now"}, 403),
    ("POST", "/v1/agents/{agent}/rollback", {"reason": "mine now"}, 403),
    ("POST", "/v1/jobs", {"agent_id": "{agent}", "method": "continual"}, 403),
    ("GET", "/v1/jobs?agent_id={agent}", None, 403),
    ("GET", "/v1/experiments?agent_id={agent}", None, 403),
    ("GET", "/v1/experiments/{experiment}", None, 404),
    ("GET", "/v1/jobs/{job}", None, 404),
    ("GET", "/v1/jobs/{job}/trace", None, 404),
    ("GET", "/v1/jobs/{job}/metrics", None, 404),
    ("GET", "/v1/jobs/{job}/series", None, 404),
    ("GET", "/v1/jobs/{job}/curves", None, 404),
    ("GET", "/v1/jobs/{job}/report", None, 404),
    ("GET", "/v1/jobs/{job}/report.html", None, 404),
    ("POST", "/v1/jobs/{job}/cancel", {"reason": "not mine"}, 404),
    ("POST", "/v1/jobs/{job}/return-feedback", {"reason": "not mine"}, 404),
    ("GET", "/v1/synthetic/{request}", None, 404),
    ("POST", "/v1/synthetic/{request}/cancel", {"reason": "not mine"}, 404),
    ("GET", "/v1/benchmarks/{benchmark}", None, 404),
    ("GET", "/v1/benchmarks/{benchmark}/reports/a.json", None, 404),
    ("POST", "/v1/benchmarks/{benchmark}/cancel", {"reason": "not mine"}, 404),
    ("GET", "/v1/log-analyses/{analysis}", None, 404),
    ("POST", "/v1/agents/{agent}/reviews", REVIEWED, 403),
    ("GET", "/v1/agents/{agent}/reviews", None, 403),
    ("GET", "/v1/agents/{agent}/reviews/next", None, 403),
    ("POST", "/v1/agents/{agent}/reviews/undo", None, 403),
    ("POST", "/v1/reviews/{review}/choice", {"choice": "5"}, 404),
    ("POST", "/v1/reviews/{review}/skip", None, 404),
    (
        "POST",
        "/v1/functions/trainAgent",
        {"agentId": "{agent}", "config": {"method": "supervised", "dataset": "{dataset}"}},
        403,
    ),
    (
        "POST",
        "/v1/functions/adaptAgentBehavior",
        {"agentId": "{agent}", "method": "continual", "feedback": [{"input": "q"}]},
        403,
    ),
    ("POST", "/v1/functions/validateModel", {"agentId": "{agent}"}, 403),
    ("POST", "/v1/functions/benchmarkAgent", {"agentId": "{agent}"}, 403),
    ("POST", "/v1/functions/analyzeAgentLogs", {"agentId": "{agent}"}, 403),
    ("POST", "/v1/functions/generateSyntheticTrainingData", SYNTHETIC, 403),
    ("GET", "/v1/events?agent_id={agent}", None, 403),
    ("GET", "/v1/audit?agent_id={agent}", None, 403),
    ("POST", "/v1/keys", {"name": "n", "scopes": ["read"], "agents": ["{agent}"]}, 403),
    ("POST", "/v1/keys", {"name": "n", "scopes": ["read"]}, 403),
    ("POST", "/v1/keys/{free_key}/revoke", None, 404),
    # Not of one agent: such keys are refused whatever they name.
    ("GET", "/v1/webhooks", None, 403),
    ("POST", "/v1/webhooks", {"url": "https://a.example/", "events": ["deployment"]}, 403),
    ("GET", "/v1/webhooks/{job}/deliveries", None, 403),
    ("POST", "/v1/webhooks/{job}/remove", None, 403),
    ("GET", "/v1/status", None, 403),
    ("GET", "/v1/costs", None, 403),
    ("GET", "/v1/audit/verify", None, 403),
    ("GET", "/v1/dead-letters", None, 403),
    ("GET", "/v1/dead-letters/x", None, 403),
    ("POST", "/v1/dead-letters/x/replay", None, 403),
)
LISTS = ("/v1/agents", "/v1/jobs", "/v1/experiments", "/v1/audit", "/v1/keys")
OF_THE_TENANT = {("POST", "/v1/datasets"), ("GET", "/v1/datasets"), ("GET", "/v1/datasets/{}")}
"""Uploaded datasets belong to no agent; that the prepared ones are filtered is tried below."""
TRIED_BELOW = {("POST", "/v1/traces"), ("POST", "/v1/sign-in-links")}
"""A link is of the key that asks for it: dashboard/test_sessions.py."""


@dataclass(frozen=True, slots=True)
class BoundClient:
    """Clients of one tenant: with a key for all of its agents, and with one bound to OWN."""

    free: httpx.AsyncClient
    bound: httpx.AsyncClient
    names: Names
    free_key: str

    def fill(self, template: Any) -> Any:
        """A path or body with the names of the other agent's things."""
        if isinstance(template, list):
            return [self.fill(item) for item in template]
        if isinstance(template, dict):
            return {name: self.fill(value) for name, value in template.items()}
        if isinstance(template, str):
            return self.names.fill(template.replace("{free_key}", self.free_key))
        return template


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients(gateway: ServedGateway) -> AsyncIterator[BoundClient]:
    """One tenant with two agents, and a key that is bound to one of them."""
    async with await client_of(gateway, BETA) as free:
        names = await move_in(gateway, free)
        profile = AgentProfile(agent_id=OWN, kind="classifier", base_model="pypi:m")
        await gateway.publish(AgentConfigured(tenant_id=BETA, agent_id=OWN, profile=profile))
        scopes = ["feedback", "annotate", "read", "write", "admin"]
        other = await free.post("/v1/keys", json={"name": "other", "scopes": scopes})
        made = await free.post("/v1/keys", json={"name": "b", "scopes": scopes, "agents": [OWN]})
        assert made.status_code == 201, made.text
        headers = {"Authorization": f"Bearer {made.json()['key']}"}
        url = gateway.http.base_url
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=20) as bound:

            async def shown() -> None:
                assert (await bound.get(f"/v1/agents/{OWN}")).status_code == 200

            await eventually(shown)
            yield BoundClient(free, bound, names, other.json()["id"])


@pytest.mark.parametrize(("method", "path", "body", "status"), NAMING)
async def test_a_bound_key_reaches_nothing_of_another_agent(
    clients: BoundClient, method: str, path: str, body: Any, status: int
) -> None:
    url, content = clients.fill(path), clients.fill(body)

    answer = await clients.bound.request(method, url, json=content)

    assert answer.status_code == status, answer.text
    if "dead-letters" not in path and status == 403:  # those need a scope that it lacks
        assert "bound to agents" in answer.json()["detail"]


async def test_the_table_covers_every_route(clients: BoundClient) -> None:
    document = (await clients.free.get("/openapi.json")).json()
    routes = {
        (method.upper(), shape(path))
        for path, operations in document["paths"].items()
        for method in operations
    }
    tried = {(method, shape(path)) for method, path, _, _ in NAMING}
    tried |= {("GET", path) for path in LISTS} | OF_THE_TENANT | TRIED_BELOW

    assert routes == tried


def shape(path: str) -> str:
    """The path whatever its variables are called."""
    plain = path.partition("?")[0]
    named = plain.replace("/dead-letters/x", "/dead-letters/{x}").replace("/a.json", "/{file}")
    parts = named.split("/")
    return "/".join("{}" if part.startswith("{") else part for part in parts)


@pytest.mark.parametrize("path", [*LISTS, "/v1/datasets"])
async def test_a_list_shows_a_bound_key_nothing_of_another_agent(
    clients: BoundClient, path: str
) -> None:
    answer = await clients.bound.get(path)

    assert answer.status_code == 200
    assert clients.names.agent not in answer.text
    assert clients.free_key not in answer.text
    if path in ("/v1/agents", "/v1/jobs", "/v1/datasets"):
        assert clients.names.agent in (await clients.free.get(path)).text


async def test_a_bound_key_works_for_its_own_agent(clients: BoundClient) -> None:
    sent = await clients.bound.post("/v1/feedback", json=RATED | {"agent_id": OWN})
    listed = (await clients.bound.get("/v1/keys")).json()["items"]
    narrower = {"name": "n", "scopes": ["read"], "agents": [OWN]}
    made = await clients.bound.post("/v1/keys", json=narrower)

    assert sent.status_code == 202, sent.text
    assert [key["agents"] for key in listed] == [[OWN]]
    assert made.status_code == 201
    assert made.json()["agents"] == [OWN]


async def test_a_span_of_another_agent_is_refused(clients: BoundClient) -> None:
    request = ExportTraceServiceRequest()
    content = spans(TRACE, f"{MARK} of a bound key")
    request.ParseFromString(content["content"])
    attribute = request.resource_spans[0].scope_spans[0].spans[0].attributes.add()
    attribute.key, attribute.value.string_value = telemetry.AGENT_ID, clients.names.agent

    answer = await clients.bound.post(
        "/v1/traces", content=request.SerializeToString(), headers=content["headers"]
    )

    parsed = ExportTraceServiceResponse.FromString(answer.content)
    assert parsed.partial_success.rejected_spans == 1


async def test_a_key_with_operate_cannot_be_bound(gateway: ServedGateway) -> None:
    body = {"name": "n", "scopes": ["operate"], "agents": [OWN]}

    answer = await gateway.http.post("/v1/keys", json=body)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "agents"
