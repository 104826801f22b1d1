"""Rate limits over HTTP: what a key and an address may ask for, and how they are answered."""

import asyncio
from uuid import uuid4

import httpx

from archon_contracts.topics import FEEDBACK
from tests.support.eventually import eventually
from tests.support.gateway.gateway import Serve, ServedGateway


def event(agent: str, number: int) -> dict[str, object]:
    return {"agent_id": agent, "interaction_id": f"i-{number}", "input": "q", "rating": 1}


def is_for_later(answer: httpx.Response, limit: str) -> bool:
    return (
        answer.status_code == 429
        and answer.headers["content-type"] == "application/problem+json"
        and int(answer.headers["retry-after"]) >= 1
        and answer.json()["limit"] == limit
        and limit in answer.json()["detail"]
    )


async def other_key(gateway: ServedGateway) -> dict[str, str]:
    body = {"name": "other", "scopes": ["read", "feedback"]}
    made = (await gateway.http.post("/v1/keys", json=body)).json()
    return {"Authorization": f"Bearer {made['key']}"}


async def test_the_request_limit_of_a_key_does_not_affect_others(serve: Serve) -> None:
    async with serve(gateway_requests_per_second=0.5, gateway_burst_seconds=20) as gateway:
        headers = await other_key(gateway)

        mine = [await gateway.http.get("/v1/agents") for _ in range(15)]
        other = await gateway.http.get("/v1/agents", headers=headers)

    assert [answer.status_code for answer in mine[:5]] == [200] * 5
    assert is_for_later(mine[-1], "requests_per_second")
    assert other.status_code == 200


async def test_events_are_limited_by_number_and_none_of_a_refused_batch_is_sent(
    serve: Serve,
) -> None:
    async with serve(gateway_events_per_second=0.01, gateway_burst_seconds=1000) as gateway:
        agent = await gateway.configure_agent(f"agent-{uuid4().hex}")

        first = await gateway.http.post("/v1/feedback", json=[event(agent, n) for n in range(8)])
        second = await gateway.http.post(
            "/v1/feedback", json=[event(agent, n) for n in range(8, 14)]
        )
        third = await gateway.http.post("/v1/feedback", json=[event(agent, 20)])
        read = await gateway.http.get("/v1/agents")
        records = await gateway.records(FEEDBACK, agent.encode())

    assert (first.status_code, third.status_code, read.status_code) == (202, 202, 200)
    assert is_for_later(second, "events_per_second")
    assert len(records) == 9


async def test_a_body_that_is_refused_as_wrong_counts_for_its_events(serve: Serve) -> None:
    async with serve(gateway_events_per_second=0.01, gateway_burst_seconds=1000) as gateway:
        wrong = await gateway.http.post("/v1/feedback", json=[{"typo": n} for n in range(12)])
        more = await gateway.http.post("/v1/feedback", json=[{"typo": 1}])

    assert wrong.status_code == 422
    assert is_for_later(more, "events_per_second")


async def test_key_guesses_of_an_address_are_limited_whatever_it_forwards(
    serve: Serve,
) -> None:
    async with serve(gateway_failed_authentications_per_minute=5) as gateway:
        await gateway.get("/v1/agents")
        answers = []
        for number in range(12):
            headers = {
                "Authorization": f"Bearer guess-{number}",
                "X-Forwarded-For": f"198.51.100.{number}",
            }
            answers.append(await gateway.http.get("/v1/agents", headers=headers))
        known = await gateway.http.get("/v1/agents")

    assert [answer.status_code for answer in answers[:5]] == [401] * 5
    assert is_for_later(answers[-1], "failed_authentications_per_minute")
    assert known.status_code == 200


async def test_a_trusted_proxy_determines_the_address(serve: Serve) -> None:
    async with serve(
        gateway_failed_authentications_per_minute=1, gateway_trusted_proxies="127.0.0.1"
    ) as gateway:
        answers = []
        for client in ("198.51.100.1", "198.51.100.1", "198.51.100.2"):
            headers = {"Authorization": "Bearer wrong", "X-Forwarded-For": client}
            answers.append(await gateway.http.get("/v1/agents", headers=headers))

    assert [answer.status_code for answer in answers] == [401, 429, 401]


ONLY_JOBS = "/v1/events?types=JobFailed"


async def test_a_stream_ends_with_its_key(serve: Serve) -> None:
    async with serve(gateway_stream_check_seconds=0.2) as gateway:
        body = {"name": "reader", "scopes": ["read"]}
        key = (await gateway.http.post("/v1/keys", json=body)).json()
        headers = {"Authorization": f"Bearer {key['key']}"}
        async with gateway.http.stream("GET", ONLY_JOBS, headers=headers) as stream:
            assert stream.status_code == 200

            await gateway.http.post(f"/v1/keys/{key['id']}/revoke")

            async with asyncio.timeout(10):
                assert [
                    line async for line in stream.aiter_lines() if line.startswith("data")
                ] == []


async def test_one_tenants_streams_leave_room_for_other_tenants(serve: Serve) -> None:
    async with serve(gateway_inflight_requests_limit=4) as gateway:
        other = await other_key(gateway)
        body = {"name": "reader", "scopes": ["read"], "tenant_id": "acme"}
        made = (await gateway.http.post("/v1/keys", json=body)).json()
        acme = {"Authorization": f"Bearer {made['key']}"}

        async with (
            gateway.http.stream("GET", ONLY_JOBS) as first,
            gateway.http.stream("GET", ONLY_JOBS, headers=other) as second,
        ):
            # Another key of the tenant: a tenant may make as many as it likes.
            refused = await gateway.http.get("/v1/agents", headers=other)
            served = await gateway.http.get("/v1/agents", headers=acme)

    assert (first.status_code, second.status_code, served.status_code) == (200, 200, 200)
    assert is_for_later(refused, "inflight_requests")


async def test_a_closed_stream_frees_its_place_in_the_limit(serve: Serve) -> None:
    async with serve(gateway_streams_per_key=2) as gateway:

        async def status() -> int:
            async with gateway.http.stream("GET", "/v1/events") as stream:
                return stream.status_code

        async with gateway.http.stream("GET", "/v1/events") as first:
            async with gateway.http.stream("GET", "/v1/events") as second:
                refused = await gateway.http.get("/v1/events")
                assert (first.status_code, second.status_code) == (200, 200)
                assert is_for_later(refused, "open_streams")

            async def has_a_place() -> bool:
                return await status() == 200

            await eventually(has_a_place)
