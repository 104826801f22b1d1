"""API keys over HTTP: made, used, listed, revoked, and the tenant that they alone decide."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from typer.testing import CliRunner

from archon_contracts.topics import FEEDBACK
from deploy.cli import app
from tests.support.gateway.gateway import KEY, ServedGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")

FEEDBACK_PATHS = {
    "/v1/feedback": {"interaction_id": "i", "input": "q", "rating": 4},
    "/v1/feedback/retractions": {"interaction_id": "i", "reason": "asked for"},
    "/v1/interactions": {"interaction_id": "i", "input": "q"},
    "/v1/annotations": {"item_id": "x", "annotator_id": "a", "input": "q", "label": "yes"},
}
WITHOUT_A_JSON_BODY = {
    "/v1/dead-letters/{letter_id}/replay",
    "/v1/keys/{key_id}/revoke",
    "/v1/agents/{agent_id}/reviews/undo",
    "/v1/reviews/{task_id}/skip",
    "/v1/traces",
    "/v1/webhooks/{webhook_id}/remove",
}


async def made(gateway: ServedGateway, *scopes: str, **fields: Any) -> dict[str, Any]:
    body = {"name": "test", "scopes": scopes} | fields
    response = await gateway.http.post("/v1/keys", json=body)
    assert response.status_code == 201, response.text
    return response.json()


def bearer(key: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {key['key']}"}


async def test_a_key_opens_its_scopes_until_it_is_revoked(gateway: ServedGateway) -> None:
    key = await made(gateway, "read")
    opened = await gateway.http.get("/v1/agents", headers=bearer(key))
    beyond = await gateway.http.get("/v1/keys", headers=bearer(key))

    revoked = await gateway.http.post(f"/v1/keys/{key['id']}/revoke")

    refused = await gateway.http.get("/v1/agents", headers=bearer(key))
    assert (opened.status_code, beyond.status_code) == (200, 403)
    assert revoked.json()["revoked_at"]
    assert refused.status_code == 401
    assert refused.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("scopes", [("write",), ("write", "operate")])
async def test_a_folder_as_base_model_needs_an_operators_key(
    gateway: ServedGateway, scopes: tuple[str, ...]
) -> None:
    key = await made(gateway, *scopes)
    request_body = {
        "agent_id": f"agent-{uuid4().hex[:12]}",
        "kind": "generator",
        "base_model": "file:///srv/encoder",
    }

    answer = await gateway.http.post("/v1/agents", json=request_body, headers=bearer(key))

    if "operate" in scopes:
        assert answer.is_success
    else:
        assert (answer.status_code, _rules(answer)) == (422, {("base_model", "operator_only")})


async def test_a_list_shows_all_but_the_key_itself(gateway: ServedGateway) -> None:
    key = await made(gateway, "read", "feedback", expires_at="2999-01-01T00:00:00Z")
    await gateway.http.get("/v1/agents", headers=bearer(key))

    response = await gateway.http.get("/v1/keys")

    (shown,) = [each for each in response.json()["items"] if each["id"] == key["id"]]
    assert shown["scopes"] == ["feedback", "read"]
    assert shown["last_used_on"]
    assert shown["expires_at"].startswith("2999-01-01")
    assert "key" not in shown
    assert key["key"] not in response.text


async def test_the_answer_that_shows_a_key_is_not_to_be_stored(gateway: ServedGateway) -> None:
    response = await gateway.http.post("/v1/keys", json={"name": "n", "scopes": ["read"]})

    assert response.headers["cache-control"] == "no-store"
    assert len(response.json()["key"]) > 43


async def test_a_tenant_begins_with_a_key_that_the_operator_makes(gateway: ServedGateway) -> None:
    tenant = f"tenant-{uuid4().hex[:8]}"
    first = await made(gateway, "admin", "read", tenant_id=tenant)

    second = await gateway.http.post(
        "/v1/keys", json={"name": "reader", "scopes": ["read"]}, headers=bearer(first)
    )
    trespass = await gateway.http.post(
        "/v1/keys",
        json={"name": "x", "scopes": ["read"], "tenant_id": "default"},
        headers=bearer(first),
    )

    mine = await gateway.http.get("/v1/keys", headers=bearer(first))
    seen = await gateway.http.get("/v1/keys", params={"tenant_id": tenant})
    assert (second.json()["tenant_id"], trespass.status_code) == (tenant, 403)
    assert {each["tenant_id"] for each in mine.json()["items"]} == {tenant}
    assert mine.json() == seen.json()


async def test_data_of_all_tenants_is_shown_only_to_the_operator(
    gateway: ServedGateway,
) -> None:
    tenant = f"tenant-{uuid4().hex[:8]}"
    theirs = await made(gateway, "read", tenant_id=tenant)
    ours = await made(gateway, "read")

    seen = [
        set((await gateway.http.get("/v1/status", headers=bearer(key))).json())
        for key in (theirs, ours)
    ]
    operator = set(await gateway.get("/v1/status"))

    assert seen == [{"feedback_totals", "open_jobs", "parked_agents", "shedding"}] * 2
    assert operator - seen[0] == {
        "dead_letters",
        "kafka",
        "outbox_age_seconds",
        "refused_audit_entries",
        "workers",
    }


async def test_a_repeated_request_makes_one_key(gateway: ServedGateway) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    body = {"name": "once", "scopes": ["read"]}

    first = await gateway.http.post("/v1/keys", json=body, headers=headers)
    second = await gateway.http.post("/v1/keys", json=body, headers=headers)

    assert (first.status_code, second.status_code) == (201, 409)
    assert "shown only once" in second.json()["detail"]


@pytest.mark.parametrize("path", FEEDBACK_PATHS)
async def test_the_tenant_of_feedback_is_the_keys_whatever_its_body_says(
    gateway: ServedGateway, path: str
) -> None:
    agent = await gateway.configure_agent(f"agent-{uuid4().hex[:12]}")
    event = FEEDBACK_PATHS[path] | {"agent_id": agent, "tenant_id": "globex"}

    response = await gateway.http.post(path, json=[event])

    assert response.status_code == 202
    (record,) = await gateway.records(FEEDBACK, agent.encode())
    assert record.key == f"default/{agent}".encode()
    assert b"globex" not in record.value


async def test_no_other_body_can_name_a_tenant(gateway: ServedGateway) -> None:
    document = await gateway.get("/openapi.json")
    paths = [
        path
        for path, operations in document["paths"].items()
        if "post" in operations and path not in {*FEEDBACK_PATHS, *WITHOUT_A_JSON_BODY}
    ]

    answers = {path: await gateway.http.post(path, json={"tenant_id": "globex"}) for path in paths}

    # A key alone may be made for another tenant; by whom is tested above.
    by_hand = answers.pop("/v1/keys")
    assert by_hand.status_code == 422
    assert len(answers) > 10
    for path, answer in answers.items():
        assert ("tenant_id", "extra_forbidden") in _rules(answer), path


def _rules(answer: httpx.Response) -> set[tuple[str, str]]:
    return {(error["field"], error["rule"]) for error in answer.json().get("errors", [])}


async def test_the_command_line_makes_lists_and_revokes(gateway: ServedGateway) -> None:
    made = await command(
        gateway, "create", "from-the-cli", "--scope", "read", "--scope", "feedback"
    )
    listed = await command(gateway, "list")
    revoked = await command(gateway, "revoke", made["id"])

    (shown,) = [key for key in listed if key["id"] == made["id"]]
    assert (shown["name"], shown["scopes"]) == ("from-the-cli", ["feedback", "read"])
    assert revoked["revoked_at"]
    assert (await gateway.http.get("/v1/agents", headers=bearer(made))).status_code == 401


async def test_the_command_line_names_a_tenant_and_an_end(gateway: ServedGateway) -> None:
    tenant = f"tenant-{uuid4().hex[:8]}"
    request_body = ("create", "n", "--scope", "admin", "--tenant", tenant, "--expires-in-days", "1")
    made = await command(gateway, *request_body)

    listed = await command(gateway, "list", "--tenant", tenant)
    revoked = await command(gateway, "revoke", made["id"], "--tenant", tenant)

    assert (made["tenant_id"], [key["id"] for key in listed]) == (tenant, [made["id"]])
    assert revoked["expires_at"] > revoked["created_at"]


async def command(gateway: ServedGateway, *words: str) -> Any:
    """What `archon keys ...` prints for a program."""
    where = ["--json", "--url", str(gateway.http.base_url), "--api-key", KEY]
    # In a thread of its own: the gateway is served by this one.
    result = await asyncio.to_thread(CliRunner().invoke, app, ["keys", *words, *where])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)
