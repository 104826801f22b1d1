"""What is read of a request before its caller is let in: nothing."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from services.gateway.auth.credentials import ALL_SCOPES, Caller
from services.gateway.errors import NotAuthenticated, Overloaded
from services.gateway.http.body_gate import MAX_JSON_ELEMENTS, BodyGate, admitted_caller
from services.gateway.load.load_shedding import InFlightLimit

ACME = Caller("acme", "agent", ALL_SCOPES)


class OneKey:
    """Lets one key in, and counts whom it was asked about."""

    asked = 0

    async def authenticate(self, *, key: str | None, address: str) -> Caller:
        self.asked += 1
        if key != "good":
            raise NotAuthenticated("send an API key")
        return ACME


class Exchange:
    """One request through the gate into an application that reads the whole body."""

    def __init__(self, key: str, chunks: Iterable[bytes], *, limit: int = 0) -> None:
        self.chunks = list(chunks)
        self.reads = 0
        self.sent: list[dict[str, Any]] = []
        self.reserved = 0
        self.caller: Caller | None = None
        self.size = InFlightLimit("inflight_bytes", limit, "bytes")
        self.requests = InFlightLimit("inflight_requests", 2, "requests", until="answered")
        self.keys = OneKey()
        self._key = key

    async def run(self, method: str = "POST", path: str = "/v1/agents") -> None:
        gate = BodyGate(
            self._application,
            admission=self.keys,  # type: ignore[arg-type]  # only authenticates
            backpressure=SimpleNamespace(  # type: ignore[arg-type]  # has no other limits
                size=self.size, requests=self.requests
            ),
            uncounted_paths=("/v1/traces",),
        )
        headers = [(b"authorization", f"Bearer {self._key}".encode())]
        scope = {"type": "http", "method": method, "path": path, "headers": headers}
        await gate(
            scope | {"query_string": b"", "client": ("127.0.0.1", 1)}, self._receive, self._send
        )

    async def _application(self, scope: Any, receive: Any, _send: Any) -> None:
        self.caller = admitted_caller(SimpleNamespace(scope=scope))  # type: ignore[arg-type]  # its scope is read
        while self.chunks:
            await receive()
        self.reserved = self.size.reserved

    async def _receive(self) -> dict[str, Any]:
        self.reads += 1
        return {"type": "http.request", "body": self.chunks.pop(0), "more_body": True}

    async def _send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)


async def test_nothing_is_read_without_a_valid_key() -> None:
    exchange = Exchange("bad", [b"x" * 100])

    await exchange.run()

    assert (exchange.reads, exchange.sent[0]["status"]) == (0, 401)
    # What was not read would be taken for the next request of the connection.
    assert (b"connection", b"close") in exchange.sent[0]["headers"]


async def test_each_byte_is_reserved_for_the_tenant_until_the_answer() -> None:
    exchange = Exchange("good", [b"x" * 100, b"y" * 50])

    await exchange.run()

    assert (exchange.caller, exchange.reserved, exchange.size.reserved) == (ACME, 150, 0)


async def test_a_body_beyond_the_limit_in_flight_is_not_read_on() -> None:
    exchange = Exchange("good", [b"x" * 10, b"y" * 100, b"z"], limit=50)
    with exchange.size.reserve(20, "other"), pytest.raises(Overloaded):
        await exchange.run()

    assert exchange.reads == 2


async def test_a_tenant_with_too_many_requests_under_way_is_refused_before_the_body() -> None:
    exchange = Exchange("good", [b"x"])
    with exchange.requests.reserve(2, "acme"):
        await exchange.run()

        assert (exchange.reads, exchange.sent[0]["status"]) == (0, 429)
    assert exchange.requests.reserved == 0


async def test_a_full_limit_refuses_before_the_body() -> None:
    exchange = Exchange("good", [b"x"], limit=50)
    with exchange.size.reserve(50, "other"):
        await exchange.run()

    assert (exchange.reads, exchange.sent[0]["status"]) == (0, 429)


async def test_too_many_elements_are_refused_while_they_arrive() -> None:
    exchange = Exchange("good", [b"{}," * 100_000] * 20)

    with pytest.raises(HTTPException, match=str(MAX_JSON_ELEMENTS)):
        await exchange.run()

    assert exchange.reads == 3


async def test_a_path_that_bounds_its_own_parsing_is_not_counted() -> None:
    exchange = Exchange("good", [b"{}," * 100_000] * 20)

    await exchange.run(path="/v1/traces")

    assert exchange.chunks == []


async def test_a_request_without_a_body_is_left_to_its_route() -> None:
    exchange = Exchange("bad", [])

    await exchange.run("GET")

    assert (exchange.keys.asked, exchange.caller) == (0, None)
