"""Answers of a decorated function: logged beside it, and never in its way."""

import asyncio
import json
import threading
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider

from archon_contracts.client.errors import ClientError, GatewayRefusedError
from archon_contracts.client.sdk.recording import recorder as recording
from archon_contracts.client.sdk.recording.decorator import (
    AgentDecorator,
    UnknownAnswerError,
    current_interaction,
    use_unit,
)
from archon_contracts.client.sdk.recording.recorder import InteractionRecorder


class RecordedGateway:
    """Takes what is sent; `answers` are given first, one by one."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        self.requests.append(request)
        return self.answers.pop(0) if self.answers else httpx.Response(202, json={})

    def events(self, path: str) -> list[dict[str, Any]]:
        """The events that were sent to a path."""
        bodies = [json.loads(r.content) for r in self.requests if r.url.path == path]
        return [event for body in bodies for event in body["events"]]


def recorder_of(gateway: RecordedGateway) -> InteractionRecorder:
    return InteractionRecorder("http://g", "key", transport=httpx.MockTransport(gateway.handle))


def decorator_of(recorder: InteractionRecorder, **options: Any) -> AgentDecorator:
    return AgentDecorator(recorder, "helpdesk", **{"version": None, "digest": "", **options})


def test_the_version_is_asked_for_at_each_call() -> None:
    gateway, versions = RecordedGateway(), iter(("1.0.0", "1.1.0"))
    recorder = recorder_of(gateway)

    @decorator_of(recorder, version=lambda: next(versions))
    def answer(question: str) -> str:
        """Answer."""
        return f"re: {question}"

    answers = [answer("a"), answer("b")]
    recorder.close()

    sent = gateway.events(recording.INTERACTIONS)
    assert answers == ["re: a", "re: b"]
    assert [(e["input"], e["actual"], e["model_version"]) for e in sent] == [
        ("a", "re: a", "1.0.0"),
        ("b", "re: b", "1.1.0"),
    ]
    assert (answer.__name__, answer.__doc__) == ("answer", "Answer.")


async def test_tasks_of_an_async_agent_rate_their_own_answers() -> None:
    gateway = RecordedGateway()
    recorder = recorder_of(gateway)

    @decorator_of(recorder)
    async def answer(question: str) -> str:
        await asyncio.sleep(0)
        return question * 2

    async def converse(user: str, stars: int) -> str:
        with use_unit(user):
            await answer(user)
        return await asyncio.to_thread(answer.feedback, rating=stars)

    await asyncio.gather(converse("x", 1), converse("y", 5))
    recorder.close()

    rated = gateway.events(recording.FEEDBACK)
    found = {(e["unit_id"], e["input"], e["actual"], e["rating"]) for e in rated}
    assert found == {("x", "x", "xx", 1), ("y", "y", "yy", 5)}


def test_an_exception_is_logged_and_raised() -> None:
    gateway = RecordedGateway()
    recorder = recorder_of(gateway)

    @decorator_of(recorder)
    def answer(question: str) -> str:
        raise ValueError(f"cannot say {question}")

    with pytest.raises(ValueError, match="cannot say no"):
        answer("no")
    recorder.close()

    (event,) = gateway.events(recording.INTERACTIONS)
    assert event["error"] == "ValueError: cannot say no"
    assert "actual" not in event


def test_what_cannot_be_logged_does_not_break_the_agent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    recorder = recorder_of(RecordedGateway())

    @decorator_of(recorder)
    def answer(question: str) -> str:
        return "\x00"

    assert answer("q") == "\x00"
    assert "is not logged" in caplog.text
    recorder.close()


def test_a_busy_gateway_is_asked_again_and_a_refusal_drops(
    caplog: pytest.LogCaptureFixture,
) -> None:
    busy = httpx.Response(503, headers={"Retry-After": "0"})
    gateway = RecordedGateway(busy)
    recorder = recorder_of(gateway)
    answer = decorator_of(recorder)(str.upper)

    answer("a")
    assert recorder.flush()
    gateway.answers = [httpx.Response(404, json={"title": "Not Found", "detail": "no agent"})]
    answer("b")
    assert recorder.flush()
    recorder.close()

    assert (recorder.sent, recorder.dropped) == (1, 1)
    assert "no agent" in caplog.text


def test_the_oldest_answers_are_dropped_when_too_many_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recording, "MAX_UNSENT", 3)
    gateway, hold = RecordedGateway(), threading.Event()

    def handle_later(request: httpx.Request) -> httpx.Response:
        hold.wait(5)
        return gateway.handle(request)

    transport = httpx.MockTransport(handle_later)
    recorder = InteractionRecorder("http://g", "key", transport=transport)
    answer = decorator_of(recorder)(str.upper)

    for number in range(10):
        answer(str(number))
    hold.set()
    assert recorder.flush()
    recorder.close()

    sent = [event["input"] for event in gateway.events(recording.INTERACTIONS)]
    assert sent[-3:] == ["7", "8", "9"]
    assert recorder.dropped == 10 - len(sent) > 0


def test_feedback_that_is_refused_says_why() -> None:
    gateway = RecordedGateway()
    recorder = recorder_of(gateway)
    answer = decorator_of(recorder)(str.upper)

    with pytest.raises(UnknownAnswerError, match="interaction_id"):
        answer.feedback(rating=1)
    answer("a")
    assert recorder.flush()
    problem = {"title": "Forbidden", "detail": "needs the scope annotate", "errors": []}
    gateway.answers = [httpx.Response(403, json=problem, headers={"Content-Type": "a/json"})]
    with pytest.raises(GatewayRefusedError, match="annotate"):
        answer.feedback(rating=1, source="expert")
    with pytest.raises(UnknownAnswerError, match="is remembered here"):
        answer.feedback(interaction_id="another", rating=1)
    recorder.close()


def test_an_answer_and_its_feedback_are_of_the_trace_of_the_request() -> None:
    gateway = RecordedGateway()
    recorder = recorder_of(gateway)
    answer = decorator_of(recorder)(str.upper)

    with TracerProvider().get_tracer("test").start_as_current_span("request") as span:
        answer("a")
    answer.feedback(rating=5)
    recorder.close()

    trace_id = f"{span.get_span_context().trace_id:032x}"
    assert {r.headers["traceparent"].split("-")[1] for r in gateway.requests} == {trace_id}
    assert len(gateway.requests) == 2


def test_no_interaction_is_current_outside_of_a_call() -> None:
    with pytest.raises(ClientError, match=r"@archon\.agent"):
        current_interaction()
