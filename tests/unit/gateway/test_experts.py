"""Who may speak for experts and annotators: a scope decides, never a field of the body."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from archon_contracts.identifiers import new_id
from services.gateway.auth.admission import Admission, Rates
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.auth.token_bucket import RateLimit
from services.gateway.feedback.body_parser import IntakeEvent
from services.gateway.load.load_shedding import Budget, OutboxWatch, Pressure
from services.gateway.load.outbox_pressure import OutboxLimits
from services.gateway.routes import build_http
from services.gateway.routes.dependencies import Api
from services.gateway.service import Asked, asked_by

KEYS = {
    "agent": frozenset({Scope.FEEDBACK, Scope.WRITE, Scope.READ}),
    "desk": frozenset({Scope.ANNOTATE}),
    "expert": frozenset({Scope.FEEDBACK, Scope.ANNOTATE, Scope.WRITE}),
}
JUDGED = {"agent_id": "a", "interaction_id": "i", "input": "q", "rating": 5}
RETRACTED = {"agent_id": "a", "interaction_id": "i"}
LABELLED = {"agent_id": "a", "item_id": "x", "annotator_id": "n", "input": "q", "label": "yes"}
TOLD_BY_EXPERTS = [
    ("/v1/feedback", [JUDGED, JUDGED | {"source": "expert"}], "[1].source"),
    ("/v1/feedback/retractions", [RETRACTED | {"source": "expert"}], "[0].source"),
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


class Parts:
    """What the feedback routes call behind the door: keys, agents, the broker, training."""

    def __init__(self) -> None:
        self.sent: list[IntakeEvent] = []

    async def authenticate(self, key: str | None) -> Caller:
        return Caller("acme", key or "", KEYS[key or ""], new_id())

    async def require(self, _tenant_id: str, _agent_ids: Sequence[str]) -> None:
        return None

    async def send(self, events: Sequence[IntakeEvent], **_: str) -> None:
        self.sent += events

    @asynccontextmanager
    async def writing(self, _tenant_id: str) -> AsyncIterator[None]:
        yield

    async def asked(self, _tx: object, caller: Caller, _request: object) -> Asked:
        return asked_by(caller)

    async def request_training(self, *_: object) -> Any:
        return SimpleNamespace(job_id=new_id(), trace_id="")


@pytest.fixture
def parts() -> Parts:
    return Parts()


@pytest.fixture
async def http(parts: Parts) -> AsyncIterator[httpx.AsyncClient]:
    plenty = [RateLimit("plenty", rate=0, capacity=1, says="") for _ in fields(Rates)]
    watch = OutboxWatch(None, None, OutboxLimits(age_seconds=10, backlog=10))  # type: ignore[arg-type]  # never looks
    pressure = Pressure(watch, Budget("e", 1000, "events"), Budget("b", 10**6, "bytes"))
    given: dict[str, Any] = dict.fromkeys(each.name for each in fields(Api)) | {
        "settings": SimpleNamespace(
            gateway_body_limit_bytes=10_000,
            gateway_body_timeout_seconds=10,
            gateway_event_limit_bytes=10_000,
        ),
        "admission": Admission(parts, Rates(*plenty)),
        "pressure": pressure,
        "known_agents": parts,
        "intake": parts,
        "transactions": parts,
        "service": parts,
        "idempotency": parts,
    }
    transport = httpx.ASGITransport(build_http(Api(**given)))
    async with httpx.AsyncClient(base_url="http://gateway", transport=transport) as client:
        yield client


async def post(http: httpx.AsyncClient, path: str, body: object, key: str) -> httpx.Response:
    return await http.post(path, json=body, headers={"Authorization": f"Bearer {key}"})


@pytest.mark.parametrize(("path", "body", "field"), TOLD_BY_EXPERTS)
async def test_a_key_for_feedback_cannot_declare_its_sender_an_expert(
    http: httpx.AsyncClient, parts: Parts, path: str, body: object, field: str
) -> None:
    answer = await post(http, path, body, "agent")

    assert answer.status_code == 403
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert "'annotate'" in answer.json()["detail"]
    assert parts.sent == []


@pytest.mark.parametrize(("path", "body", "field"), TOLD_BY_EXPERTS)
async def test_an_expert_is_heard_with_a_key_that_may_annotate(
    http: httpx.AsyncClient, parts: Parts, path: str, body: object, field: str
) -> None:
    answer = await post(http, path, body, "expert")

    assert answer.status_code == 202, answer.text
    assert any(event.body.source == "expert" for event in parts.sent)  # type: ignore[union-attr]  # all of them have one


async def test_annotations_need_the_scope_for_them_and_no_other(
    http: httpx.AsyncClient, parts: Parts
) -> None:
    refused = await post(http, "/v1/annotations", LABELLED, "agent")
    taken = await post(http, "/v1/annotations", LABELLED, "desk")
    beyond = await post(http, "/v1/feedback", JUDGED, "desk")

    assert [one.status_code for one in (refused, taken, beyond)] == [403, 202, 403]
    assert "'annotate'" in refused.json()["detail"]
    assert len(parts.sent) == 1


async def test_what_users_say_needs_no_more_than_before(
    http: httpx.AsyncClient, parts: Parts
) -> None:
    for source in ("user", "guardrail", "environment"):
        answer = await post(http, "/v1/feedback", JUDGED | {"source": source}, "agent")
        assert answer.status_code == 202

    assert len(parts.sent) == 3
