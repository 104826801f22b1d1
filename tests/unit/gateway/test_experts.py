"""Who may speak for experts and annotators: a scope decides, never a field of the body."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx
import pytest

from archon_contracts.identifiers import new_id
from services.gateway.auth.admission import Admission, RateLimits
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.auth.request_identity import RequestIdentity, identify_request
from services.gateway.auth.token_bucket import RateLimit
from services.gateway.feedback.body_parser import OutgoingEvent
from services.gateway.load.load_shedding import Backpressure, InFlightLimit
from services.gateway.routes import build_http
from services.gateway.routes.dependencies import GatewayApi
from tests.support.gateway.unpolled_monitor import build_unpolled_monitor

KEYS = {
    "agent": frozenset({Scope.FEEDBACK, Scope.WRITE, Scope.READ}),
    "desk": frozenset({Scope.ANNOTATE}),
    "expert": frozenset({Scope.FEEDBACK, Scope.ANNOTATE, Scope.WRITE}),
}
RATED = {"agent_id": "a", "interaction_id": "i", "input": "q", "rating": 5}
RETRACTED = {"agent_id": "a", "interaction_id": "i"}
LABELLED = {"agent_id": "a", "item_id": "x", "annotator_id": "n", "input": "q", "label": "yes"}
SENT_BY_EXPERTS = [
    ("/v1/feedback", [RATED, RATED | {"source": "expert"}], "[1].source"),
    ("/v1/feedback", [RATED | {"source": "environment"}], "[0].source"),
    ("/v1/feedback/retractions", [RETRACTED | {"source": "expert"}], "[0].source"),
    ("/v1/feedback/retractions", [RETRACTED | {"annotator_id": "n"}], "[0].annotator_id"),
    (
        "/v1/functions/adaptAgentBehavior",
        {
            "agentId": "a",
            "method": "continual",
            "feedback": [{"input": "q", "rating": 5, "source": "expert"}],
        },
        "feedback[0].source",
    ),
]


class RouteFakes:
    """What the feedback routes call behind the door: keys, agents, the broker, training."""

    def __init__(self) -> None:
        self.sent: list[OutgoingEvent] = []
        self.awaited: list[UUID] = []

    async def authenticate(self, key: str | None) -> Caller:
        return Caller("acme", key or "", KEYS[key or ""], new_id())

    async def require(self, _tenant_id: str, _agent_ids: Sequence[str]) -> None:
        return None

    async def send(self, events: Sequence[OutgoingEvent], **_: str) -> None:
        self.sent += events

    @asynccontextmanager
    async def begin_write(self, _tenant_id: str) -> AsyncIterator[None]:
        yield

    async def identify(self, _tx: object, caller: Caller, _request: object) -> RequestIdentity:
        return identify_request(caller)

    async def require_method(self, *_: object) -> None:
        return None

    async def require_job_room(self, *_: object) -> None:
        return None

    async def request_training(self, *_: object, feedback_ids: tuple[UUID, ...]) -> Any:
        self.awaited += feedback_ids
        return SimpleNamespace(job_id=new_id(), trace_id="")


@pytest.fixture
def fakes() -> RouteFakes:
    return RouteFakes()


@pytest.fixture
async def http(fakes: RouteFakes) -> AsyncIterator[httpx.AsyncClient]:
    plenty = [RateLimit("plenty", rate=0, capacity=1, reason="") for _ in fields(RateLimits)]
    watch = build_unpolled_monitor(backlog_limit=10)
    backpressure = Backpressure(
        watch,
        InFlightLimit("e", 1000, "events"),
        InFlightLimit("b", 10**6, "bytes"),
        InFlightLimit("r", 1000, "requests"),
    )
    given: dict[str, Any] = dict.fromkeys(each.name for each in fields(GatewayApi)) | {
        "settings": SimpleNamespace(
            gateway_body_limit_bytes=10_000,
            gateway_body_timeout_seconds=10,
            gateway_event_limit_bytes=10_000,
        ),
        "admission": Admission(fakes, RateLimits(*plenty)),
        "backpressure": backpressure,
        "known_agents": fakes,
        "feedback_producer": fakes,
        "transactions": fakes,
        "service": fakes,
        "idempotency": fakes,
    }
    transport = httpx.ASGITransport(build_http(GatewayApi(**given)))
    async with httpx.AsyncClient(base_url="http://gateway", transport=transport) as client:
        yield client


async def post(http: httpx.AsyncClient, path: str, body: object, key: str) -> httpx.Response:
    return await http.post(path, json=body, headers={"Authorization": f"Bearer {key}"})


@pytest.mark.parametrize(("path", "body", "field"), SENT_BY_EXPERTS)
async def test_expert_feedback_without_the_annotate_scope_is_refused(
    http: httpx.AsyncClient, fakes: RouteFakes, path: str, body: object, field: str
) -> None:
    answer = await post(http, path, body, "agent")

    assert answer.status_code == 403
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert "'annotate'" in answer.json()["detail"]
    assert fakes.sent == []


@pytest.mark.parametrize(("path", "body", "field"), SENT_BY_EXPERTS)
async def test_expert_feedback_is_accepted_with_the_annotate_scope(
    http: httpx.AsyncClient, fakes: RouteFakes, path: str, body: object, field: str
) -> None:
    answer = await post(http, path, body, "expert")

    assert answer.status_code == 202, answer.text
    assert len(fakes.sent) == (len(body) if isinstance(body, list) else 1)


async def test_the_job_of_an_adaptation_awaits_its_feedback_and_no_internal_traffic(
    http: httpx.AsyncClient, fakes: RouteFakes
) -> None:
    rated, probe = {"input": "q", "rating": 5}, {"input": "p", "rating": 1, "trafficClass": "test"}
    body = {"agentId": "a", "method": "continual", "feedback": [rated, probe, rated]}

    answer = await post(http, "/v1/functions/adaptAgentBehavior", body, "agent")

    assert answer.status_code == 202, answer.text
    assert fakes.awaited == [fakes.sent[0].id]


async def test_annotations_need_the_scope_for_them_and_no_other(
    http: httpx.AsyncClient, fakes: RouteFakes
) -> None:
    refused = await post(http, "/v1/annotations", LABELLED, "agent")
    taken = await post(http, "/v1/annotations", LABELLED, "desk")
    beyond = await post(http, "/v1/feedback", RATED, "desk")

    assert [one.status_code for one in (refused, taken, beyond)] == [403, 202, 403]
    assert "'annotate'" in refused.json()["detail"]
    assert len(fakes.sent) == 1


async def test_user_feedback_needs_only_the_feedback_scope(
    http: httpx.AsyncClient, fakes: RouteFakes
) -> None:
    for source in ("user", "guardrail"):
        answer = await post(http, "/v1/feedback", RATED | {"source": source}, "agent")
        assert answer.status_code == 202

    assert len(fakes.sent) == 2
