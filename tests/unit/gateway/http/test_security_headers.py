"""Headers of every answer, and of a page that states a policy of its own."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.responses import Response

from services.gateway.http.security_headers import SECURITY_HEADERS, SecurityHeaders


def client(answer: Callable[[], Response]) -> httpx.AsyncClient:
    """A client of an application that gives one answer."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await answer()(scope, receive, send)

    transport = httpx.ASGITransport(SecurityHeaders(application))
    return httpx.AsyncClient(base_url="http://gateway", transport=transport)


async def test_every_answer_has_the_headers_once() -> None:
    async with client(lambda: Response("x")) as http:
        found = (await http.get("/")).headers

    for name, value in SECURITY_HEADERS:
        assert found.get_list(name.decode()) == [value.decode()]


@pytest.mark.parametrize("name", ["content-security-policy", "Content-Security-Policy"])
async def test_a_policy_of_the_answer_itself_stands_alone(name: str) -> None:
    async with client(lambda: Response("x", headers={name: "default-src 'self'"})) as http:
        found = (await http.get("/")).headers

    # Two policies would both be applied: the page's own style would be refused.
    assert found.get_list("content-security-policy", split_commas=False) == ["default-src 'self'"]
    assert found["x-content-type-options"] == "nosniff"
