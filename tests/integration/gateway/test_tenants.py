"""A key of one tenant tries every route with the names of another tenant's things.

For whoever asks, another tenant's things are like things that do not exist: the same answer, word
for word. And whatever is tried, they stay as they are.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from archon_contracts.events import JobFailed, TrainingRequested
from archon_contracts.identifiers import new_id
from archon_contracts.topics import dead_letters
from tests.support.eventually import eventually
from tests.support.gateway.gateway import ServedGateway
from tests.support.gateway.two_tenants import (
    ALPHA,
    BETA,
    MARK,
    TRACE,
    Names,
    client_of,
    loss_at,
    move_in,
    spans,
    state_of,
)
from tests.support.messaging.tenant_rows import rows_of, tables_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

IMPORTED = {
    "artifact": {"uri": "file:///m", "digest": "0" * 64},
    "source": "elsewhere",
    "reason": "mine now",
}
REVIEWED = {"kind": "rubric", "items": [{"request": "q", "answers": ["a"]}]}
RATED = {"agent_id": "{agent}", "interaction_id": "i", "input": "q", "actual": "a", "rating": 5}
NAMING: tuple[tuple[str, str, Any], ...] = (
    ("GET", "/v1/agents/{agent}", None),
    ("GET", "/v1/agents/{agent}/models", None),
    ("GET", "/v1/agents/{agent}/deployments", None),
    ("GET", "/v1/agents/{agent}/deployed", None),
    ("GET", "/v1/agents/{agent}/assignment", None),
    ("GET", "/v1/agents/{agent}/curriculum", None),
    ("GET", "/v1/agents/{agent}/feedback-history", None),
    ("GET", "/v1/agents/{agent}/models/{version}", None),
    ("GET", "/v1/agents/{agent}/models/{version}/report", None),
    ("GET", "/v1/agents/{agent}/models/{version}/report.html", None),
    ("GET", "/v1/agents/{agent}/datasets/{dataset_version}/quality", None),
    ("GET", "/v1/agents/{agent}/datasets/{dataset_version}/quality.html", None),
    ("GET", "/v1/agents/{agent}/datasets/{dataset_version}/changes?since={dataset_version}", None),
    ("POST", "/v1/agents/{agent}/models/{version}/deploy", {"reason": "mine now"}),
    ("GET", "/v1/agents/{agent}/models/{version}/lineage", None),
    ("GET", "/v1/agents/{agent}/models/{version}/compare/{version}", None),
    ("POST", "/v1/agents/{agent}/models", IMPORTED),
    ("POST", "/v1/agents/{agent}/models/{version}/archive", {"reason": "mine now"}),
    ("POST", "/v1/agents/{agent}/models/{version}/protect", {"reason": "mine now"}),
    ("POST", "/v1/agents/{agent}/retention", {"keep_newest": 1, "reason": "mine now"}),
    ("POST", "/v1/agents/{agent}/rollback", {"reason": "mine now"}),
    ("POST", "/v1/agents/{agent}/rollback", {"reason": "mine now", "to_version": "{version}"}),
    ("GET", "/v1/datasets/{dataset}", None),
    ("GET", "/v1/experiments/{experiment}", None),
    ("GET", "/v1/jobs/{job}", None),
    ("GET", "/v1/jobs/{job}/trace", None),
    ("GET", "/v1/jobs/{job}/metrics", None),
    ("GET", "/v1/jobs/{job}/series", None),
    ("GET", "/v1/jobs/{job}/curves", None),
    ("GET", "/v1/jobs/{job}/report", None),
    ("GET", "/v1/jobs/{job}/report.html", None),
    ("POST", "/v1/jobs/{job}/cancel", {"reason": "not mine"}),
    ("POST", "/v1/jobs/{job}/return-feedback", {"reason": "not mine"}),
    ("POST", "/v1/jobs", {"agent_id": "{agent}", "method": "continual"}),
    ("POST", "/v1/jobs", {"agent_id": "{agent}", "method": "supervised", "dataset": "{dataset}"}),
    ("GET", "/v1/synthetic/{request}", None),
    ("POST", "/v1/synthetic/{request}/cancel", {"reason": "not mine"}),
    ("GET", "/v1/benchmarks/{benchmark}", None),
    ("POST", "/v1/benchmarks/{benchmark}/cancel", {"reason": "not mine"}),
    ("GET", "/v1/log-analyses/{analysis}", None),
    ("POST", "/v1/agents/{agent}/reviews", REVIEWED),
    ("GET", "/v1/agents/{agent}/reviews", None),
    ("GET", "/v1/agents/{agent}/reviews/next", None),
    ("POST", "/v1/reviews/{review}/choice", {"choice": "5"}),
    ("POST", "/v1/reviews/{review}/skip", None),
    ("POST", "/v1/feedback", RATED),
    ("POST", "/v1/interactions", {"agent_id": "{agent}", "interaction_id": "i", "input": "q"}),
    (
        "POST",
        "/v1/annotations",
        {"agent_id": "{agent}", "item_id": "i", "annotator_id": "a", "input": "q", "label": "l"},
    ),
    (
        "POST",
        "/v1/feedback/retractions",
        {"agent_id": "{agent}", "interaction_id": "i", "reason": "r"},
    ),
    (
        "POST",
        "/v1/functions/trainAgent",
        {"agentId": "{agent}", "config": {"method": "supervised", "dataset": "{dataset}"}},
    ),
    (
        "POST",
        "/v1/functions/adaptAgentBehavior",
        {"agentId": "{agent}", "method": "continual", "feedback": [{"input": "q"}]},
    ),
    ("POST", "/v1/functions/validateModel", {"agentId": "{agent}"}),
    ("POST", "/v1/functions/validateModel", {"agentId": "{agent}", "version": "{version}"}),
    ("POST", "/v1/functions/benchmarkAgent", {"agentId": "{agent}"}),
    ("POST", "/v1/functions/benchmarkAgent", {"agentId": "{agent}", "suites": ["{held_out}"]}),
    ("POST", "/v1/functions/benchmarkAgent", {"agentId": "{agent}", "versions": ["{version}"]}),
    ("POST", "/v1/functions/validateModel", {"agentId": "{agent}", "golden": "{held_out}"}),
    ("POST", "/v1/functions/analyzeAgentLogs", {"agentId": "{agent}"}),
    (
        "POST",
        "/v1/functions/generateSyntheticTrainingData",
        {"agentId": "a", "scenarioType": "s", "count": 1, "examples": "{dataset}"},
    ),
    (
        "POST",
        "/v1/agents",
        {
            "agent_id": "mine",
            "kind": "classifier",
            "base_model": "pypi:m",
            "labels": ["yes", "no"],
            "evaluation_dataset": "{held_out}",
        },
    ),
)
LISTS = (
    "/v1/agents",
    "/v1/experiments",
    "/v1/jobs",
    "/v1/jobs?agent_id={agent}",
    "/v1/datasets",
    "/v1/costs",
    "/v1/status",
)
TRIED_BELOW = {("POST", "/v1/datasets"), ("POST", "/v1/traces"), ("GET", "/v1/events")}
TRIED_ELSEWHERE = {
    ("POST", "/v1/agents/{}/reviews/undo"),  # of the key's own: reviews/test_reviews.py
    (
        "GET",
        "/v1/benchmarks/{}/reports/{}",
    ),  # functions/test_benchmarks.py; as the benchmark itself is
    *(("GET", "/v1/audit"), ("GET", "/v1/audit/verify")),  # test_audit.py
    *(("GET", "/v1/keys"), ("POST", "/v1/keys"), ("POST", "/v1/keys/{}/revoke")),  # test_keys.py
    ("POST", "/v1/sign-in-links"),  # dashboard/test_sessions.py
    *(("GET", "/v1/webhooks"), ("POST", "/v1/webhooks")),  # webhooks/, as the next two
    *(("GET", "/v1/webhooks/{}/deliveries"), ("POST", "/v1/webhooks/{}/remove")),
}
FOR_OPERATORS = "/v1/dead-letters"
"""A scope of its own looks across tenants; who lacks it is refused, see test_outages.py."""


@dataclass(frozen=True, slots=True)
class TenantPair:
    """Both tenants, and what beta has."""

    gateway: ServedGateway
    alpha: httpx.AsyncClient
    beta: httpx.AsyncClient
    names: Names


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def street(gateway: ServedGateway) -> AsyncIterator[TenantPair]:
    """Beta has moved in; alpha has an agent of its own."""
    async with await client_of(gateway, ALPHA) as alpha, await client_of(gateway, BETA) as beta:
        yield TenantPair(gateway, alpha, beta, await move_in(gateway, beta))


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _untouched(street: TenantPair) -> AsyncIterator[None]:
    """Whatever a test tries, beta's rows stay as they are, and nothing is ordered in its name."""
    database = street.gateway.application.service_context.database
    tables = await tables_of(database)
    before = await rows_of(database, BETA, tables), await ordered(street)
    yield
    assert (await rows_of(database, BETA, tables), await ordered(street)) == before
    assert sum(map(len, before[0].values())) > 10


async def ordered(street: TenantPair) -> list[tuple[str, str]]:
    """What left the gateway with beta's key."""
    async with street.gateway.application.service_context.database.connection() as connection:
        rows = await connection.fetch("SELECT topic, key FROM outbox WHERE key LIKE 'beta/%'")
    return sorted((row["topic"], row["key"]) for row in rows)


@pytest.mark.parametrize(("method", "path", "body"), NAMING)
async def test_resources_of_another_tenant_are_not_found(
    street: TenantPair, method: str, path: str, body: Any
) -> None:
    nobodys = Names(agent="no-agent", dataset="no-set", held_out="no-held-out", version="8.8.8")

    answers = []
    for names in (street.names, nobodys):
        url, content = names.fill(path), names.fill(body) if body else None
        answer = await street.alpha.request(method, url, json=content)
        shown = answer.json() | {"trace_id": None}
        answers.append((answer.status_code, names.blank(str(shown))))

    assert answers[0] == answers[1]
    assert answers[0][0] == 404


async def test_the_same_requests_succeed_for_the_owner(street: TenantPair) -> None:
    asked = [path for method, path, _ in NAMING if method == "GET"]

    for path in asked:
        answer = await street.beta.get(street.names.fill(path))
        assert answer.status_code == 200, path


@pytest.mark.parametrize("path", LISTS)
async def test_no_list_shows_resources_of_another_tenant(street: TenantPair, path: str) -> None:
    url = street.names.fill(path)

    assert MARK not in (await street.alpha.get(url)).text.replace(url, "")
    if path not in ("/v1/costs", "/v1/status"):  # numbers alone
        assert MARK in (await street.beta.get(url)).text


async def test_every_route_is_tried(street: TenantPair) -> None:
    document = (await street.alpha.get("/openapi.json")).json()
    routes = {
        (method.upper(), shape(path))
        for path, operations in document["paths"].items()
        for method in operations
        if not path.startswith(FOR_OPERATORS)
    }
    tried = {(method, shape(path)) for method, path, _ in NAMING}
    tried |= {("GET", path.partition("?")[0]) for path in LISTS} | TRIED_BELOW | TRIED_ELSEWHERE

    assert routes - tried == set()


def shape(path: str) -> str:
    """The path whatever its variables are called."""
    plain = path.partition("?")[0]
    return "/".join("{}" if part.startswith("{") else part for part in plain.split("/"))


async def test_two_tenants_may_use_the_same_name(street: TenantPair) -> None:
    mine = {"name": street.names.dataset, "purpose": "training"}
    items = [{"input": "mine", "target": "mine"}]

    assert (
        await street.alpha.post("/v1/datasets", json=mine | {"items": items})
    ).status_code == 201
    shown = (await street.alpha.get(f"/v1/datasets/{street.names.dataset}")).json()
    theirs = (await street.beta.get(f"/v1/datasets/{street.names.dataset}")).json()
    assert shown["artifact"]["digest"] != theirs["artifact"]["digest"]


async def test_a_tenant_sees_only_its_own_spans_of_a_shared_trace(street: TenantPair) -> None:
    job = new_id()
    await street.gateway.publish(state_of(job, "mine", tenant_id=ALPHA))

    async def shown() -> None:
        assert (await street.alpha.post("/v1/traces", **spans(TRACE, "mine"))).status_code == 200
        trace = (await street.alpha.get(f"/v1/jobs/{job}/trace")).json()
        assert "mine" in [span["name"] for span in trace.get("spans", ())]
        assert MARK not in str(trace)

    await eventually(shown)
    trace = (await street.beta.get(f"/v1/jobs/{street.names.job}/trace")).json()
    assert f"{MARK} span" in [span["name"] for span in trace["spans"]]
    assert "mine" not in [span["name"] for span in trace["spans"]]


async def test_a_stream_shows_no_event_of_another(street: TenantPair) -> None:
    database = street.gateway.application.service_context.database
    async with database.transaction(BETA) as tx:
        first = await tx.fetchval("SELECT event_id FROM recent_events ORDER BY position LIMIT 1")
    who = {"tenant_id": ALPHA, "agent_id": "mine"}
    own = JobFailed(**who, job_id=new_id(), reason="of my own")

    reading = asyncio.create_task(first_line_of_data(street.alpha, first))
    hub = next(part for part in street.gateway.application._background if part.name == "event-hub")
    await eventually(lambda: bool(hub._subscribers))
    await street.gateway.publish(own)

    assert str(own.job_id) in await asyncio.wait_for(reading, 10)


async def first_line_of_data(client: httpx.AsyncClient, after: UUID) -> str:
    """What a stream shows first that resumes after an event."""
    headers = {"Last-Event-ID": str(after)}
    async with (
        client.stream("GET", "/v1/events", headers=headers) as response,
        aclosing(response.aiter_lines()) as lines,
    ):
        # The stream first states that it cannot resume after an event that is not the tenant's.
        shown = (line async for line in lines if line.startswith("data: "))
        return await anext(line async for line in shown if "job_id" in line)


async def test_an_event_of_another_that_names_the_job_changes_nothing_of_it(
    street: TenantPair,
) -> None:
    job, agent = street.names.job, street.names.agent
    request_body = TrainingRequested(
        tenant_id=ALPHA, job_id=job, agent_id=agent, method="continual", requested_by="alpha"
    )
    await street.gateway.publish(
        state_of(job, agent, tenant_id=ALPHA, reason="alpha says so"),
        request_body,
        loss_at(job, agent, 2, 99.0, tenant_id=ALPHA),
    )

    async def settled() -> None:
        assert await refused(street, str(job)) == 2
        database = street.gateway.application.service_context.database
        async with database.transaction(ALPHA) as tx:
            assert await tx.fetchval("SELECT count(*) FROM job_metrics WHERE job_id = $1", job) == 1

    await eventually(settled)
    assert (await street.alpha.get(f"/v1/jobs/{job}")).status_code == 404


async def refused(street: TenantPair, marker: str) -> int:
    """Dead letters of the gateway that name this."""
    topic = dead_letters("gateway").name
    async with street.gateway.application.service_context.database.connection() as connection:
        return int(
            await connection.fetchval(
                "SELECT count(*) FROM outbox WHERE topic = $1 "
                "AND position($2::bytea IN payload) > 0",
                topic,
                marker.encode(),
            )
        )
