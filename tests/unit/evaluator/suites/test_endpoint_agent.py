import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from services.evaluator.errors import AgentUnusable
from services.evaluator.suites.agents import endpoint_agent
from services.evaluator.suites.agents.endpoint_agent import Endpoint, EndpointAgent
from services.evaluator.suites.answers import Answer


def reply(text: Any = "hello", **more: Any) -> httpx.Response:
    return httpx.Response(200, json={"choices": [{"message": {"content": text}}], **more})


def ask(
    handler: Callable[[httpx.Request], Any], *inputs: str, **fields: Any
) -> tuple[list[Answer], list[httpx.Request]]:
    asked: list[httpx.Request] = []

    async def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        answer = handler(request)
        return await answer if asyncio.iscoroutine(answer) else answer

    endpoint = Endpoint(**{"url": "http://agent/v1", "timeout_seconds": 5.0, **fields})
    agent = EndpointAgent(endpoint, httpx.MockTransport(handle))
    return agent.answer(inputs or ("hi",), lambda _done: None), asked


@pytest.fixture(autouse=True)
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_agent, "BACKOFF_SECONDS", 0)


def test_a_request_is_openais_and_the_answer_has_its_tokens() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 2}
    [answer], [request] = ask(
        lambda _: reply("hello", usage=usage), model="m", api_key="k", system_prompt="be kind"
    )

    assert str(request.url) == "http://agent/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer k"
    body = json.loads(request.content)
    assert (body["model"], body["temperature"]) == ("m", 0)
    assert [each["role"] for each in body["messages"]] == ["system", "user"]
    assert (answer.output, answer.input_tokens, answer.output_tokens) == ("hello", 7, 2)
    assert answer.latency_seconds is not None


def test_answers_are_in_the_order_of_the_requests() -> None:
    async def slow_first(request: httpx.Request) -> httpx.Response:
        text = json.loads(request.content)["messages"][0]["content"]
        await asyncio.sleep(0.05 if text == "1" else 0)
        return reply(text)

    answers, _ = ask(slow_first, "1", "2", "3")

    assert [each.output for each in answers] == ["1", "2", "3"]


def test_an_endpoint_that_hangs_is_left_after_the_limit() -> None:
    async def hang(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(30)
        raise AssertionError

    [answer], _ = ask(hang, timeout_seconds=0.05)

    assert answer.error == "no answer within 0.05 s"
    assert answer.output == ""


def test_a_busy_endpoint_is_asked_again_and_each_call_counts() -> None:
    replies = iter([httpx.Response(503), httpx.Response(429), reply("at last")])

    [answer], _ = ask(lambda _: next(replies))

    assert (answer.output, answer.calls) == ("at last", 3)


def test_a_refused_request_is_not_repeated() -> None:
    [answer], asked = ask(lambda _: httpx.Response(401))

    assert answer.error == "the endpoint answered 401"
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx.Response(200, text="<html>"), "no choices"),
        (httpx.Response(200, json=[]), "no choices"),
        (httpx.Response(200, json={"choices": []}), "no choices"),
        (reply(None), "is no text"),
        (httpx.Response(200, content=b"x" * (5 * 1024 * 1024)), "longer than"),
    ],
)
def test_an_unusable_answer_is_an_error(response: httpx.Response, error: str) -> None:
    [answer], _ = ask(lambda _: response)

    assert error in answer.error


def test_counts_that_are_none_are_unknown() -> None:
    [answer], _ = ask(lambda _: reply("a", usage={"prompt_tokens": True, "completion_tokens": -1}))

    assert (answer.input_tokens, answer.output_tokens) == (None, None)


def test_an_endpoint_that_fails_throughout_is_not_asked_for_every_case() -> None:
    answers, asked = ask(lambda _: httpx.Response(500), *map(str, range(100)), concurrency=1)

    assert len(asked) == endpoint_agent.FAILURES_TO_STOP
    assert answers[-1].error.startswith("not asked")


def test_a_connection_that_breaks_is_an_error_of_the_case() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    [answer], asked = ask(refuse)

    assert "cannot be reached: refused" in answer.error
    assert len(asked) == endpoint_agent.ATTEMPTS


@pytest.mark.parametrize("url", ["ftp://host/v1", "http://", "agent", "http://host:port/"])
def test_what_is_no_http_url_is_refused(url: str) -> None:
    with pytest.raises(AgentUnusable, match="--agent"):
        EndpointAgent(Endpoint(url=url))


def test_a_name_has_no_password() -> None:
    assert EndpointAgent(Endpoint(url="http://me:secret@host/v1", model="m")).name == (
        "http://host/v1/chat/completions (m)"
    )
