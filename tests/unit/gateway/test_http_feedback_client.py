"""The contracts' HTTP client and the gateway's intake: one event has one id on every way."""

import json
from collections.abc import Callable

import httpx

from archon_contracts.client.http import HttpFeedbackClient
from archon_contracts.event_ids import event_id_of
from archon_contracts.events import FeedbackReceived
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.feedback.body_parser import FEEDBACK, prepare


def feedback(interaction_id: str) -> FeedbackReceived:
    return FeedbackReceived(
        agent_id="picker", interaction_id=interaction_id, input="q", actual="a", rating=4
    )


CALLER = Caller("default", "key-1", frozenset({Scope.FEEDBACK}))


def intake(request: httpx.Request) -> httpx.Response:
    """Answers as the gateway does for tenant `default`, without a broker behind it."""
    prepared = prepare(
        FEEDBACK.read(request.content),
        caller=CALLER,
        idempotency_key=request.headers.get("Idempotency-Key", ""),
        limit=10_000,
    )
    ids = [str(event.id) for event in prepared]
    return httpx.Response(202, content=json.dumps({"accepted": len(ids), "event_ids": ids}))


def client_of(answer: Callable[[httpx.Request], httpx.Response]) -> HttpFeedbackClient:
    return HttpFeedbackClient("http://gateway", "key-1", transport=httpx.MockTransport(answer))


async def test_feedback_has_the_same_id_however_it_is_batched() -> None:
    first, second, third = (feedback(f"i-{number}") for number in range(3))

    async with client_of(intake) as client:
        together = await client.send_many([first, second, third])
        otherwise = await client.send_many([third, first])
        alone = await client.send(second)

    expected = [event_id_of(event, CALLER.submitter) for event in (first, second, third)]
    assert together == expected
    assert [otherwise[1], alone, otherwise[0]] == expected
