"""An event above the system's limit is refused by the client, and nothing is sent."""

import httpx
import pytest

from archon_contracts.client import KafkaFeedbackClient
from archon_contracts.client.errors import EventTooLargeError
from archon_contracts.client.http import HttpFeedbackClient
from archon_contracts.events import FeedbackReceived
from archon_contracts.rules.bounds import MAX_EVENT_BYTES
from services.coordinator.settings import Settings as CoordinatorSettings
from services.gateway.settings import Settings as GatewaySettings


def feedback(size: int) -> FeedbackReceived:
    return FeedbackReceived(agent_id="a", interaction_id="i-7", input="x" * size, rating=1)


def refuse_to_answer(_request: httpx.Request) -> httpx.Response:
    raise AssertionError("it was sent")


async def test_over_http_the_size_and_the_limit_are_named() -> None:
    transport = httpx.MockTransport(refuse_to_answer)

    async with HttpFeedbackClient("http://g", "key-1", transport=transport) as client:
        with pytest.raises(EventTooLargeError, match=rf"'i-7' has \d+ bytes, {MAX_EVENT_BYTES}"):
            await client.send(feedback(MAX_EVENT_BYTES))
        with pytest.raises(EventTooLargeError):
            await client.send_many([feedback(1), feedback(MAX_EVENT_BYTES)])


async def test_over_kafka_it_is_refused_before_the_broker_is_asked() -> None:
    client = KafkaFeedbackClient("127.0.0.1:1", source="agent/a", max_event_bytes=500)

    with pytest.raises(EventTooLargeError, match="500 are allowed"):
        await client.send(feedback(500))
    with pytest.raises(EventTooLargeError, match="500 are allowed"):
        await client.send_many([feedback(500)])


def test_gateway_coordinator_and_clients_have_one_default() -> None:
    defaults = (
        GatewaySettings.model_fields["gateway_event_limit_bytes"].default,
        CoordinatorSettings.model_fields["feedback_max_bytes"].default,
    )

    assert defaults == (MAX_EVENT_BYTES, MAX_EVENT_BYTES)
