"""Feedback over HTTP: acknowledged records on the topic, or a refusal that says why."""

import json
from uuid import uuid4

import httpx
import pytest

from archon_contracts.client.http import HttpFeedbackClient
from archon_contracts.envelope import HeaderView
from archon_contracts.events import FeedbackReceived
from archon_contracts.topics import FEEDBACK
from tests.support.gateway.gateway import KEY, ServedGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")


def feedback(agent: str, number: int = 0, **fields: object) -> dict[str, object]:
    event = {"agent_id": agent, "interaction_id": f"i-{number}", "input": "q", "rating": 4}
    return event | fields


@pytest.fixture
def name() -> str:
    return f"agent-{uuid4().hex[:12]}"


async def test_accepted_feedback_is_on_the_topic_when_the_answer_comes(
    gateway: ServedGateway, name: str
) -> None:
    agent = await gateway.configure_agent(name)

    response = await gateway.http.post(
        "/v1/feedback", json={"events": [feedback(agent, n) for n in range(20)]}
    )

    assert (response.status_code, response.json()["accepted"]) == (202, 20)
    records = await gateway.records(FEEDBACK, agent.encode())
    ids = [HeaderView.of(record.headers).text("ce_id") for record in records]
    assert ids == response.json()["event_ids"]
    assert {record.key for record in records} == {f"default/{agent}".encode()}


async def test_one_request_is_one_trace_that_continues_the_senders(
    gateway: ServedGateway, name: str
) -> None:
    agent = await gateway.configure_agent(name)
    trace_id = uuid4().hex
    parent = f"00-{trace_id}-{'b' * 16}-01"

    await gateway.http.post(
        "/v1/feedback",
        json=[feedback(agent, 1), feedback(agent, 2)],
        headers={"traceparent": parent},
    )

    records = await gateway.records(FEEDBACK, agent.encode())
    (context,) = {HeaderView.of(record.headers).text("traceparent") for record in records}
    assert trace_id in context
    assert context != parent


async def test_the_same_request_again_has_the_same_event_ids(
    gateway: ServedGateway, name: str
) -> None:
    agent = await gateway.configure_agent(name)
    headers = {"Idempotency-Key": "once"}

    answers = [
        (await gateway.http.post("/v1/feedback", json=[feedback(agent)], headers=headers)).json()
        for _ in range(2)
    ]

    assert answers[0] == answers[1]


async def test_one_bad_item_refuses_the_batch_and_nothing_is_sent(
    gateway: ServedGateway, name: str
) -> None:
    agent = await gateway.configure_agent(name)
    batch = {"events": [feedback(agent, 1), feedback(agent, 2, rating=9)]}
    headers = {"traceparent": f"00-{'d' * 32}-{'e' * 16}-01"}

    response = await gateway.http.post("/v1/feedback", json=batch, headers=headers)

    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    (error,) = response.json()["errors"]
    assert (error["field"], error["rule"]) == ("events[1].rating", "less_than_equal")
    assert response.json()["trace_id"] == "d" * 32
    assert await gateway.records(FEEDBACK, agent.encode()) == []


async def test_an_unknown_agent_is_not_found(gateway: ServedGateway, name: str) -> None:
    response = await gateway.http.post("/v1/feedback", json=feedback(name))

    assert response.status_code == 404
    assert name in response.json()["detail"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
async def test_without_a_known_key_nothing_is_taken(
    gateway: ServedGateway, headers: dict[str, str]
) -> None:
    async with httpx.AsyncClient(base_url=gateway.http.base_url, headers=headers) as stranger:
        response = await stranger.post("/v1/feedback", json=feedback("a"))

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["title"] == "Unauthorized"


async def test_a_body_that_is_too_long_is_refused_while_it_is_read(gateway: ServedGateway) -> None:
    async def endless():
        for _ in range(1000):
            yield b" " * 10_000

    declared = await gateway.http.post("/v1/feedback", content=b" " * 300_000)
    streamed = await gateway.http.post("/v1/datasets", content=endless())

    for response in (declared, streamed):
        assert response.status_code == 413
        assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe\x00", b"null", b'"text"', b"[" * 5000])
async def test_what_is_no_feedback_is_a_problem_document(
    gateway: ServedGateway, body: bytes
) -> None:
    response = await gateway.http.post("/v1/feedback", content=body)

    assert response.status_code in (400, 422)
    assert set(response.json()) == {"type", "title", "status", "detail", "errors", "trace_id"}


async def test_an_event_that_no_record_can_hold_is_refused(
    gateway: ServedGateway, name: str
) -> None:
    agent = await gateway.configure_agent(name)

    response = await gateway.http.post("/v1/feedback", json=feedback(agent, input="x" * 60_000))

    assert response.status_code == 413


async def test_interactions_annotations_and_retractions_take_the_same_way(
    gateway: ServedGateway, name: str
) -> None:
    agent = await gateway.configure_agent(name)
    mine = {"agent_id": agent}
    bodies = {
        "/v1/interactions": mine | {"interaction_id": "i", "input": "q", "latency_seconds": 0.2},
        "/v1/annotations": mine
        | {"item_id": "x", "annotator_id": "ann", "input": "q", "label": "yes"},
        "/v1/feedback/retractions": mine | {"interaction_id": "i", "reason": "asked for"},
    }

    for path, body in bodies.items():
        assert (await gateway.http.post(path, json=body)).status_code == 202

    records = await gateway.records(FEEDBACK, agent.encode())
    kinds = {HeaderView.of(record.headers).text("ce_type") for record in records}
    assert len(kinds) == 3


async def test_the_http_client_of_the_contracts_is_understood(
    gateway: ServedGateway, name: str
) -> None:
    agent = await gateway.configure_agent(name)
    events = [FeedbackReceived(**feedback(agent, number)) for number in range(3)]

    async with HttpFeedbackClient(str(gateway.http.base_url), KEY) as client:
        ids = await client.send_many(events)

    records = await gateway.records(FEEDBACK, agent.encode())
    assert [str(one) for one in ids] == [HeaderView.of(r.headers).text("ce_id") for r in records]


async def test_the_openapi_document_shows_what_feedback_looks_like(gateway: ServedGateway) -> None:
    document = await gateway.get("/openapi.json")

    body = document["paths"]["/v1/feedback"]["post"]["requestBody"]
    assert "interaction_id" in json.dumps(body)
    assert "/v1/functions/trainAgent" in document["paths"]


async def test_baggage_is_not_believed_for_a_key_that_only_sends_feedback(
    gateway: ServedGateway, name: str
) -> None:
    agent = await gateway.configure_agent(name)
    made = await gateway.http.post("/v1/keys", json={"name": "agent", "scopes": ["feedback"]})
    key = {"Authorization": f"Bearer {made.json()['key']}"}

    await gateway.http.post(
        "/v1/feedback",
        json=feedback(agent),
        headers=key | {"baggage": "archon.traffic_class=test"},
    )

    (record,) = await gateway.records(FEEDBACK, agent.encode())
    assert HeaderView.of(record.headers).text("ce_trafficclass") == ""


async def test_a_request_with_baggage_of_an_evaluation_is_marked_on_the_topic(
    gateway: ServedGateway, name: str
) -> None:
    agent = await gateway.configure_agent(name)

    await gateway.http.post(
        "/v1/feedback", json=feedback(agent), headers={"baggage": "archon.traffic_class=evaluation"}
    )

    (record,) = await gateway.records(FEEDBACK, agent.encode())
    assert HeaderView.of(record.headers).text("ce_trafficclass") == "evaluation"
