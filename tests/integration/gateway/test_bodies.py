"""Bodies that are built to break a reader: refused with a reason, never a failure of ours."""

import asyncio
import contextlib
import gzip
import json
from typing import Any
from uuid import uuid4

import pytest

from archon_contracts.rules.json_values import MAX_DEPTH
from tests.support.gateway.gateway import ServedGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")

DEPTHS = (MAX_DEPTH - 1, 150, 300, 1_100, 90_000)
EVENT = {"interaction_id": "i", "input": "q", "rating": 4}


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


def bomb(frame: dict[str, Any], depth: int) -> bytes:
    """The frame with so many brackets in the place of its HOLE."""
    return json.dumps(frame).replace('"HOLE"', nested(depth)).encode()


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(
    ("path", "frame"),
    [
        ("/v1/feedback", EVENT | {"input": "HOLE"}),
        ("/v1/feedback", {"events": [EVENT | {"context": {"deep": "HOLE"}}]}),
        ("/v1/interactions", {"interaction_id": "i", "input": "HOLE"}),
        ("/v1/datasets", {"name": "d", "purpose": "training", "items": [{"input": "HOLE"}]}),
        ("/v1/datasets", {"name": "NAME", "purpose": "training", "items": "HOLE"}),
        ("/v1/agents", {"agent_id": "a", "kind": "HOLE"}),
        ("/v1/jobs", {"agent_id": "HOLE"}),
        ("/v1/keys", {"name": "n", "scopes": "HOLE"}),
        (
            "/v1/functions/adaptAgentBehavior",
            {"method": "supervised", "feedback": [EVENT | {"input": "HOLE"}]},
        ),
        ("/v1/functions/analyzeAgentLogs", {"agentId": "a", "logs": "HOLE"}),
    ],
)
async def test_unclosed_brackets_are_refused(
    gateway: ServedGateway, path: str, frame: dict[str, Any], depth: int
) -> None:
    if "feedback" in path or "interactions" in path or "adapt" in path:
        frame = frame | {"agentId" if "adapt" in path else "agent_id": "nobody"}

    response = await gateway.http.post(path, content=bomb(frame, depth))

    assert 400 <= response.status_code < 500, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert len(response.content) < 20_000


@pytest.mark.parametrize("depth", DEPTHS)
async def test_a_deep_item_of_json_lines_is_refused_or_kept_whole(
    gateway: ServedGateway, depth: int
) -> None:
    line = bomb({"input": "HOLE", "target": "t"}, depth)

    response = await gateway.http.post(
        "/v1/datasets",
        content=line,
        params={"name": f"deep-{uuid4().hex[:8]}", "purpose": "training"},
        headers={"Content-Type": "application/x-ndjson"},
    )

    assert response.status_code == (201 if depth <= MAX_DEPTH else 422), response.text


@pytest.mark.parametrize("path", ["/v1/feedback", "/v1/jobs", "/v1/datasets", "/v1/keys"])
async def test_a_compressed_body_is_refused(gateway: ServedGateway, path: str) -> None:
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}

    response = await gateway.http.post(path, content=gzip.compress(b"{}"), headers=headers)

    assert response.status_code == 415
    assert "compressed (gzip)" in response.json()["detail"]


async def test_spans_may_be_compressed_with_gzip_only(gateway: ServedGateway) -> None:
    headers = {"Content-Type": "application/x-protobuf"}

    plain = await gateway.http.post(
        "/v1/traces", content=gzip.compress(b""), headers=headers | {"Content-Encoding": "gzip"}
    )
    other = await gateway.http.post(
        "/v1/traces", content=b"x", headers=headers | {"Content-Encoding": "br"}
    )

    assert (plain.status_code, other.status_code) == (200, 415)


@pytest.mark.parametrize("path", ["/v1/feedback", "/v1/jobs"])
async def test_an_endless_idempotency_key_is_refused(gateway: ServedGateway, path: str) -> None:
    agent = await gateway.configure_agent(f"agent-{uuid4().hex[:12]}")
    body = {"agent_id": agent, "method": "supervised"} if path == "/v1/jobs" else EVENT
    headers = {"Idempotency-Key": "k" * 201}

    response = await gateway.http.post(path, json=body | {"agent_id": agent}, headers=headers)

    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "Idempotency-Key"


@pytest.mark.parametrize("form", ["array", "batch"])
async def test_a_request_brings_one_event_or_more(gateway: ServedGateway, form: str) -> None:
    body = "[]" if form == "array" else '{"events":[]}'

    response = await gateway.http.post("/v1/feedback", content=body)

    assert response.status_code == 422
    assert "too_short" in {error["rule"] for error in response.json()["errors"]}


async def test_too_long_headers_close_the_connection(gateway: ServedGateway) -> None:
    url = gateway.http.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"GET /v1/agents HTTP/1.1\r\nHost: gateway\r\nX-Long: ")

    async def answered() -> bytes:
        while not reader.at_eof():
            writer.write(b"x" * 10_000)
            await asyncio.wait_for(writer.drain(), timeout=10)
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(reader.readline(), timeout=0.01)
        return b""

    assert b" 400 " in await answered()
    writer.close()


@pytest.mark.parametrize("number", ["1" + "0" * 30, "-1" + "0" * 30])
async def test_a_number_that_cannot_be_stored_is_refused(
    gateway: ServedGateway, number: str
) -> None:
    body = f'{{"name":"n","purpose":"training","items":[{{"input":{number},"target":"t"}}]}}'

    response = await gateway.http.post("/v1/datasets", content=body)

    assert response.status_code == 422
    assert "64" in response.json()["errors"][0]["message"]


WIDE = dict.fromkeys(map(str, range(5_000)), 1)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/jobs", WIDE),
        ("/v1/jobs", {"agent_id": "a", "method": "supervised", "config": WIDE}),
        ("/v1/agents", {"agent_id": "a", "catalogue": [{"name": "n"}, WIDE]}),
        ("/v1/keys", WIDE),
        ("/v1/functions/trainAgent", {"agentId": "a", "config": {"validation": WIDE}}),
    ],
)
async def test_an_object_of_very_many_fields_is_refused_as_a_whole(
    gateway: ServedGateway, path: str, body: dict[str, Any]
) -> None:
    response = await gateway.http.post(path, json=body)

    assert response.status_code == 422
    assert response.json()["detail"] == "an object has more than 1000 fields"
    assert response.json()["errors"] == []


@pytest.mark.parametrize("form", ["labels", "catalogue"])
async def test_a_list_ends_with_its_first_wrong_item(gateway: ServedGateway, form: str) -> None:
    body = {"agent_id": "a", "kind": "selector", "base_model": "m", form: [{"x": 1}] * 5_000}

    response = await gateway.http.post("/v1/agents", json=body)

    assert response.status_code == 422
    assert {error["field"].partition(".")[0] for error in response.json()["errors"]} == {
        f"{form}[0]"
    }


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/agents", b"", 200),
        ("GET", "/openapi.json", b"", 200),
        ("GET", "/docs", b"", 307),
        ("GET", "/redoc", b"", 404),
        ("POST", "/v1/agents", b"[" * 300_000, 413),
    ],
)
async def test_no_answer_is_a_page_that_a_browser_runs(
    gateway: ServedGateway, method: str, path: str, body: bytes, status: int
) -> None:
    answer = await gateway.http.request(method, path, content=body)

    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_a_log_of_times_of_all_kinds_is_counted(gateway: ServedGateway, name: str) -> None:
    agent = await gateway.configure_agent(name)
    times = ["2026-03-01T12:10:00", "2026-03-01T12:50:00Z", "0001-01-01T00:00:00+14:00"]
    logs = [{"rating": 3, "at": each} for each in times]

    answer = await gateway.http.post(
        "/v1/functions/analyzeAgentLogs", json={"agentId": agent, "logs": logs}
    )

    assert (answer.status_code, answer.json()["interactions"]) == (200, 3)
