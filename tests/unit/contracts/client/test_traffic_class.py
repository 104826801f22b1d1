"""A client that is reported its traffic_class once says it with everything that it sends."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from opentelemetry import baggage, context

from archon_contracts.client import HttpFeedbackClient, use_traffic_class
from archon_contracts.client import traffic_class as client_traffic_class
from archon_contracts.client.traffic_class import current_traffic_class
from archon_contracts.events import FeedbackReceived
from archon_contracts.identifiers import new_id
from archon_contracts.traffic_classes import BAGGAGE_KEY, TrafficClass

EVENT = FeedbackReceived(agent_id="picker", interaction_id="i-1", input="q", rating=4)


class CapturingGateway:
    """A gateway that keeps the bodies of events."""

    def __init__(self) -> None:
        self.events: list[dict[str, object]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        events = body.get("events", [body])
        self.events += events
        ids = [str(new_id()) for _ in events]
        return httpx.Response(202, json={"accepted": len(ids), "event_ids": ids})

    def client(self, traffic_class: TrafficClass | None = None) -> HttpFeedbackClient:
        transport = httpx.MockTransport(self)
        return HttpFeedbackClient(
            "http://gateway", "key", transport=transport, traffic_class=traffic_class
        )


async def test_a_client_stamps_one_and_many() -> None:
    sent = CapturingGateway()

    async with sent.client(TrafficClass.SHADOW) as client:
        await client.send(EVENT)
        await client.send_many([EVENT, EVENT])

    assert [event["traffic_class"] for event in sent.events] == ["shadow"] * 3


async def test_a_client_in_production_says_nothing() -> None:
    sent = CapturingGateway()

    async with sent.client() as client:
        await client.send(EVENT)

    assert "traffic_class" not in sent.events[0]


async def test_all_tasks_of_a_block_act_for_its_purpose_and_nobody_after_it() -> None:
    sent = CapturingGateway()

    async with sent.client() as client:
        with use_traffic_class(TrafficClass.BENCHMARK):
            await asyncio.gather(client.send(EVENT), client.send_many([EVENT]))
        await client.send(EVENT)

    assert [event.get("traffic_class") for event in sent.events] == ["benchmark", "benchmark", None]


def test_baggage_of_an_inbound_request_is_not_believed() -> None:
    token = context.attach(baggage.set_baggage(BAGGAGE_KEY, "evaluation"))
    try:
        assert current_traffic_class() is None
    finally:
        context.detach(token)


def test_a_block_puts_its_purpose_into_the_baggage_of_requests() -> None:
    with use_traffic_class(TrafficClass.EVALUATION):
        assert baggage.get_baggage(BAGGAGE_KEY) == "evaluation"
    assert baggage.get_baggage(BAGGAGE_KEY) is None


def test_without_opentelemetry_a_block_works_within_its_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_traffic_class, "INSTALLED", False)

    with use_traffic_class(TrafficClass.TEST):
        inside = current_traffic_class()

    assert (inside, current_traffic_class()) == (TrafficClass.TEST, None)
