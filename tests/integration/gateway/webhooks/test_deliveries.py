"""Webhooks on a served gateway and a receiver of a few lines."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from archon_contracts.events import JobRejected
from archon_contracts.identifiers import new_id
from archon_contracts.topics import dead_letters
from services.gateway.webhooks import sender
from tests.support.eventually import eventually
from tests.support.gateway.events import deployed
from tests.support.gateway.gateway import Serve, ServedGateway

OK = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
BUSY = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
MOVED = (
    "HTTP/1.1 307 Moved\r\nLocation: http://169.254.169.254/latest/\r\n"
    "Content-Length: 0\r\nConnection: close\r\n\r\n"
)


@dataclass
class Receiver:
    """Takes requests; `answers` are given first, one by one, then 204."""

    url: str = ""
    answers: list[str] = field(default_factory=list)
    requests: list[tuple[dict[str, str], str]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = [line.partition(": ") for line in head.split("\r\n")[1:] if line]
        headers = {name.lower(): value for name, _, value in lines}
        body = await reader.readexactly(int(headers["content-length"]))
        self.requests.append((headers, body.decode()))
        writer.write((self.answers.pop(0) if self.answers else OK).encode())
        await writer.drain()
        writer.close()

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The bodies in the order in which they came."""
        return [json.loads(body) for _, body in self.requests]


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?a=1"
    async with server:
        yield made


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "FIRST_RETRY_SECONDS", 0.01)
    monkeypatch.setattr("services.gateway.app.POLL_SECONDS", 0.05)


def verified(secret: str, headers: dict[str, str], body: str) -> bool:
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return headers["webhook-signature"] == f"v1,{expected}"


async def create(gateway: ServedGateway, url: str, *events: str, **more: Any) -> dict[str, Any]:
    made = await gateway.http.post("/v1/webhooks", json={"url": url, "events": events, **more})
    assert made.status_code == 201, made.text
    created: dict[str, Any] = made.json()
    return created


async def has(found: Callable[[], int], count: int) -> None:
    async def there() -> bool:
        return found() >= count

    await eventually(there)


async def test_events_are_sent_signed_once_and_again_while_the_receiver_is_busy(
    serve: Serve,
) -> None:
    async with (
        receiver() as target,
        serve(gateway_webhook_private_networks="127.0.0.0/8") as gateway,
    ):
        made = await create(gateway, target.url, "deployment", "rejection", agents=["helper"])
        target.answers = [BUSY, MOVED]
        rejected = JobRejected(job_id=new_id(), agent_id="helper", reason="worse")
        await gateway.publish(deployed("helper", "1.0.0"), deployed("other", "1.0.0"))
        await has(lambda: len(target.requests), 3)
        await gateway.publish(rejected)
        await has(lambda: len(target.requests), 4)
        path = f"/v1/webhooks/{made['webhook_id']}"

        async def ended() -> bool:
            found = (await gateway.get(f"{path}/deliveries"))["items"]
            return [each["state"] for each in found] == ["delivered"] * 2

        await eventually(ended)
        deliveries = (await gateway.get(f"{path}/deliveries"))["items"]
        listed = (await gateway.get("/v1/webhooks"))["items"]
        removed = await gateway.http.post(f"{path}/remove")
        await gateway.publish(deployed("helper", "1.1.0"))
        gone = await gateway.http.get(f"{path}/deliveries")

    ids = [headers["webhook-id"] for headers, _ in target.requests]
    assert ids[0] == ids[1] == ids[2] != ids[3]
    assert all(verified(made["secret"], *request) for request in target.requests)
    assert [body["event"] for body in target.bodies] == ["ModelDeployed"] * 3 + ["JobRejected"]
    assert {body["data"]["agent_id"] for body in target.bodies} == {"helper"}
    assert target.bodies[3]["data"]["reason"] == "worse"
    # The redirect was an unsuccessful attempt and nothing else.
    assert [(each["attempts"], each["outcome"]) for each in deliveries] == [
        (1, "204"),
        (3, "204"),
    ]
    assert "secret" not in listed[0]
    assert (removed.status_code, gone.status_code) == (200, 404)


async def test_a_private_address_is_refused_and_so_is_a_key_without_the_right(
    serve: Serve,
) -> None:
    async with serve() as gateway:
        body = {"url": "http://127.0.0.1:9/", "events": ["deployment"]}
        inside = await gateway.http.post("/v1/webhooks", json=body)
        unknown = await gateway.http.post("/v1/webhooks", json={**body, "events": ["everything"]})
        scopes = {"name": "n", "scopes": ["admin", "read"]}
        key = (await gateway.http.post("/v1/keys", json=scopes)).json()["key"]
        letters = await gateway.http.post(
            "/v1/webhooks",
            json={"url": "https://93.184.215.14/", "events": ["dead_letter"]},
            headers={"Authorization": f"Bearer {key}"},
        )

    assert (inside.status_code, inside.json()["errors"][0]["field"]) == (422, "url")
    assert "no public address" in inside.json()["detail"]
    assert unknown.status_code == 422
    assert letters.status_code == 403


async def test_a_delivery_that_never_succeeds_ends_and_says_why(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "MAX_ATTEMPTS", 2)
    async with serve(gateway_webhook_private_networks="127.0.0.0/8") as gateway:
        made = await create(gateway, "http://127.0.0.1:9/", "deployment")
        await gateway.publish(deployed("helper", "1.0.0"))

        async def failed() -> bool:
            path = f"/v1/webhooks/{made['webhook_id']}/deliveries"
            found = (await gateway.get(path))["items"]
            return [(e["state"], e["attempts"]) for e in found] == [("failed", 2)] and (
                "ConnectError" in found[0]["outcome"]
            )

        await eventually(failed)


async def test_a_dead_letter_is_sent_without_its_content(serve: Serve) -> None:
    async with (
        receiver() as target,
        serve(gateway_webhook_private_networks="127.0.0.1") as gateway,
    ):
        await create(gateway, target.url, "dead_letter")
        await gateway.producer.send_and_wait(
            dead_letters("coordinator").name,
            b"a secret of somebody",
            headers=[("dlq_reason", b"no JSON"), ("dlq_topic", b"archon.x")],
        )
        await has(lambda: len(target.requests), 1)

    assert target.bodies[0]["type"] == "dead_letter"
    assert target.bodies[0]["data"]["reason"] == "no JSON"
    assert "secret" not in target.requests[0][1]
