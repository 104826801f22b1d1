"""Feedback over HTTP: what is asked, what is tried again, and what is reported to the caller."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.client.errors import (
    ApiKeyError,
    GatewayRefusedError,
    GatewayUnavailableError,
    GatewayUrlError,
)
from archon_contracts.client.http import HttpFeedbackClient
from archon_contracts.events import FeedbackReceived
from archon_contracts.identifiers import new_id
from deploy.gateway_client import ApiError, GatewayClient

Answer = Callable[[httpx.Request], httpx.Response]


def feedback(interaction_id: str = "i-1") -> FeedbackReceived:
    return FeedbackReceived(
        agent_id="picker", interaction_id=interaction_id, input="q", actual="a", rating=4
    )


def accept(request: httpx.Request) -> httpx.Response:
    body = json.loads(request.content)
    count = len(body["events"]) if "events" in body else 1
    ids = [str(new_id()) for _ in range(count)]
    return httpx.Response(202, json={"accepted": count, "event_ids": ids})


def busy(status: int, retry_after: str) -> Answer:
    return lambda _: httpx.Response(status, headers={"Retry-After": retry_after})


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("connection refused", request=request)


class StubGateway:
    """Gives the answers in turn, the last one for ever, and keeps the requests."""

    def __init__(self, *answers: Answer) -> None:
        self.requests: list[httpx.Request] = []
        self._answers = list(answers)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return answer(request)


def client_of(gateway: StubGateway, **options: Any) -> HttpFeedbackClient:
    transport = httpx.MockTransport(gateway)
    return HttpFeedbackClient("http://gateway", "key-1", transport=transport, **options)


async def test_one_event_is_posted_as_its_json_with_the_api_key() -> None:
    gateway = StubGateway(accept)

    async with client_of(gateway) as client:
        await client.send(feedback())

    (request,) = gateway.requests
    assert (request.method, request.url.path) == ("POST", "/v1/feedback")
    assert request.headers["Authorization"] == "Bearer key-1"
    assert FeedbackReceived.model_validate_json(request.content) == feedback()


async def test_many_events_are_one_request_and_give_an_id_each() -> None:
    gateway = StubGateway(accept)
    events = [feedback("i-1"), feedback("i-2"), feedback("i-3")]

    async with client_of(gateway) as client:
        ids = await client.send_many(events)

    (request,) = gateway.requests
    assert len(set(ids)) == 3
    sent = json.loads(request.content)["events"]
    assert [FeedbackReceived.model_validate(event) for event in sent] == events


async def test_only_a_key_of_the_callers_is_sent() -> None:
    gateway = StubGateway(accept)

    async with client_of(gateway) as client:
        await client.send(feedback())
        await client.send_many([feedback()])
        await client.send(feedback(), idempotency_key="mine")
        await client.send_many([feedback()], idempotency_key="ours")

    keys = [request.headers.get("Idempotency-Key") for request in gateway.requests]
    assert keys == [None, None, "mine", "ours"]


async def test_no_events_are_no_request() -> None:
    gateway = StubGateway(accept)

    async with client_of(gateway) as client:
        assert await client.send_many([]) == []

    assert gateway.requests == []


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_busy_gateway_is_asked_again_with_the_same_key(status: int) -> None:
    gateway = StubGateway(busy(status, "0"), busy(status, "0"), accept)

    async with client_of(gateway) as client:
        await client.send(feedback(), idempotency_key="mine")

    keys = [request.headers["Idempotency-Key"] for request in gateway.requests]
    assert keys == ["mine"] * 3


async def test_a_lost_connection_is_tried_again() -> None:
    gateway = StubGateway(unreachable, accept)

    async with client_of(gateway) as client:
        await client.send(feedback())

    assert len(gateway.requests) == 2


async def test_a_time_in_retry_after_may_be_a_date_that_has_passed() -> None:
    passed = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    gateway = StubGateway(busy(503, passed), accept)

    async with client_of(gateway) as client:
        await client.send(feedback())

    assert len(gateway.requests) == 2


class Waits:
    """Takes no time, and keeps how long each wait would have been."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("retry_after", "waited"),
    [("7", 7.0), ("86400", 30.0), ("nan", 0.25), ("soon", 0.25), ("-3", 0.25), ("9" * 400, 30.0)],
)
async def test_the_wait_is_what_the_gateway_asks_for_within_reason(
    status: int, retry_after: str, waited: float
) -> None:
    waits = Waits()
    gateway = StubGateway(busy(status, retry_after), accept)

    async with client_of(gateway, sleep=waits) as client:
        await client.send(feedback())

    assert waits.seconds == [waited]


async def test_without_a_time_the_waits_grow_and_none_follows_the_last_attempt() -> None:
    waits = Waits()
    gateway = StubGateway(lambda _: httpx.Response(429))

    async with client_of(gateway, sleep=waits, attempts=4) as client:
        with pytest.raises(GatewayUnavailableError, match="4 attempts: 429"):
            await client.send(feedback())

    assert waits.seconds == [0.25, 0.5, 1.0]


async def test_a_gateway_that_stays_busy_is_given_up() -> None:
    gateway = StubGateway(busy(503, "0"))

    async with client_of(gateway, attempts=3) as client:
        with pytest.raises(GatewayUnavailableError, match="not accepted in 3 attempts: 503"):
            await client.send(feedback())

    assert len(gateway.requests) == 3


async def test_an_unreachable_gateway_is_named_in_the_error() -> None:
    async with client_of(StubGateway(unreachable), attempts=1) as client:
        with pytest.raises(GatewayUnavailableError, match="connection refused"):
            await client.send(feedback())


async def test_a_refusal_says_what_the_problem_document_says_and_is_not_repeated() -> None:
    problem = {"title": "Unknown agent", "detail": "no agent picker", "status": 404}
    headers = {"Content-Type": "application/problem+json"}
    gateway = StubGateway(lambda _: httpx.Response(404, json=problem, headers=headers))

    async with client_of(gateway) as client:
        with pytest.raises(GatewayRefusedError) as caught:
            await client.send(feedback())

    assert str(caught.value) == "404 Unknown agent: no agent picker"
    assert (caught.value.status, caught.value.detail) == (404, "no agent picker")
    assert len(gateway.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, text="<html>not here</html>"),
        httpx.Response(400, content=b"{", headers={"Content-Type": "application/json"}),
        httpx.Response(200, json={"accepted": 1}),
        httpx.Response(202, json={"accepted": 1}),
        httpx.Response(202, json={"accepted": 0, "event_ids": []}),
    ],
    ids=["html", "broken json", "other success", "no ids", "too few ids"],
)
async def test_an_answer_that_is_none_is_an_error(answer: httpx.Response) -> None:
    async with client_of(StubGateway(lambda _: answer)) as client:
        with pytest.raises(GatewayRefusedError):
            await client.send(feedback())


UNSENDABLE = st.text(min_size=1).filter(lambda text: any(not "!" <= c <= "~" for c in text))


@given(UNSENDABLE)
def test_a_key_that_cannot_be_sent_is_refused_without_showing_it(rest: str) -> None:
    secret = "s3cret-marker"

    with pytest.raises(ApiKeyError) as refused:
        HttpFeedbackClient("http://gateway", secret + rest)

    shown = "".join(traceback.format_exception_only(refused.value)) + repr(refused.value)
    assert secret not in shown


@pytest.mark.parametrize(("ending", "place"), [("\n", "at its end"), ("\r\n", "at its end")])
def test_a_key_with_the_newline_of_its_file_says_what_to_do(ending: str, place: str) -> None:
    with pytest.raises(ApiKeyError, match=f"{place}.*strip"):
        HttpFeedbackClient("http://gateway", f"archon_x{ending}")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://",
        "127.0.0.1:8080",
        "ftp://gateway",
        "http://[::1",
        "http://gateway:99999",
        "http://user:s3cret@gateway",
        "http://user:s3/cret@gateway",
    ],
)
def test_a_url_that_cannot_be_asked_is_refused_at_once_and_shows_no_password(url: str) -> None:
    # Asked five times it would look as if nobody were there.
    with pytest.raises(GatewayUrlError, match="the gateway's URL") as refused:
        HttpFeedbackClient(url, "archon_x")
    with pytest.raises(ApiError, match="ARCHON_URL"):
        GatewayClient(url, "archon_x")

    assert "s3" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.LocalProtocolError, httpx.ReadError])
async def test_no_transport_error_shows_the_key(error: type[httpx.TransportError]) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error(f"illegal header {request.headers['Authorization']}", request=request)

    client = client_of(StubGateway(fail), attempts=1)
    async with client:
        with pytest.raises(GatewayUnavailableError) as refused:
            await client.send(feedback())

    assert "key-1" not in str(refused.value)
    assert "key-1" not in repr(client)
