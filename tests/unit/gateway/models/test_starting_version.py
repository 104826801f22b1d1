"""The version that a transfer names: required when it is requested."""

from typing import Any

import pytest

from archon_contracts.events import Capability, TrainingRequested
from archon_contracts.values import AgentKind, TrainingMethod
from services.gateway.auth.request_identity import identify_request
from services.gateway.errors import Invalid, NotFound
from services.gateway.requests import JobRequest
from tests.support.gateway.gateway_service import CALLER, FIRST, build_store, service

TRANSFER = [Capability(kind=AgentKind.SELECTOR, method=method) for method in TrainingMethod]


NO_TX: Any = None


async def requested(**fields: Any) -> list[TrainingRequested]:
    """What leaves after the request of an agent `a`, whose version 1.0.0 is deployed."""
    store = await build_store(models=[FIRST], announced=TRANSFER)
    gateway, outbox = await service(store)
    request = JobRequest(**({"agent_id": "a", "method": "transfer", "dataset": "learn"} | fields))
    await gateway.request_training(NO_TX, identify_request(CALLER), request)
    sent: list[TrainingRequested] = outbox.of(TrainingRequested)
    return sent


async def test_the_source_goes_with_the_request() -> None:
    (event,) = await requested(source_agent="a", source_version="1.0.0")

    assert (event.source_agent, event.source_version) == ("a", "1.0.0")


async def test_a_transfer_may_start_from_the_base_model() -> None:
    (event,) = await requested()

    assert (event.method, event.source_agent) == (TrainingMethod.TRANSFER, None)


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"source_agent": "nobody"}, NotFound, "nobody"),
        ({"source_agent": "a", "source_version": "9.9.9"}, NotFound, "9.9.9"),
        ({"source_version": "1.0.0"}, Invalid, "name the agent whose version it is"),
        ({"source_agent": "a", "method": "supervised"}, Invalid, "only method transfer"),
    ],
)
async def test_a_source_that_cannot_be_is_refused(
    fields: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        await requested(**fields)
