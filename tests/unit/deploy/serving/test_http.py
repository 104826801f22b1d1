"""The server's routes, with a model of its own and a client that keeps what is sent."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from archon_contracts.events import FeedbackReceived, InteractionLogged
from archon_contracts.rollouts.experiment import Experiment
from archon_contracts.traffic_classes import TrafficClass
from deploy.serving import interaction_log
from deploy.serving.hot_swap_model import HotSwapModel
from deploy.serving.http import AnswerServer
from deploy.serving.interaction_log import InteractionLog
from tests.support.eventually import eventually
from tests.support.served_answers import (
    WEIGHTS,
    KeepingSender,
    compared,
    configured,
    serve_now,
)


class ServedModel:
    """A server without a socket."""

    def __init__(self) -> None:
        self.model, self.sender = HotSwapModel(), KeepingSender()
        self.log = InteractionLog(self.sender)
        server = AnswerServer("acme", "picker", self.model, self.log, self.sender)
        transport = httpx.ASGITransport(server.build())
        self.http = httpx.AsyncClient(transport=transport, base_url="http://server")

    def deploy(self, version: str, revision: int, experiment: Experiment | None = None) -> None:
        serve_now(self.model, configured(version, revision, experiment))

    async def ask(self, **body: Any) -> httpx.Response:
        return await self.http.post("/v1/answers", json=body)


@pytest.fixture
async def served() -> AsyncIterator[ServedModel]:
    made = ServedModel()
    made.deploy("1.0.0", 1)
    yield made
    made.model.close()
    await made.http.aclose()


async def test_an_answer_says_which_weights_gave_it_and_is_logged(served: ServedModel) -> None:
    answer = (await served.ask(input="hello", unit_id="u1")).json()
    await served.log.flush()

    assert (answer["output"], answer["version"], answer["digest"]) == ("hello", "1.0.0", "a" * 64)
    (logged,) = served.sender.sent
    assert isinstance(logged, InteractionLogged)
    assert (logged.tenant_id, logged.agent_id, logged.unit_id) == ("acme", "picker", "u1")
    assert (logged.interaction_id, logged.model_version) == (answer["interaction_id"], "1.0.0")
    assert logged.latency_seconds is not None


async def test_a_new_version_answers_from_the_next_request_on(served: ServedModel) -> None:
    before = (await served.ask(input="a")).json()["version"]
    served.deploy("1.1.0", 2)
    after = (await served.ask(input="a")).json()["version"]

    assert (before, after) == ("1.0.0", "1.1.0")
    models = (await served.http.get("/v1/models")).json()
    assert (models["items"][0]["version"], models["revision"]) == ("1.1.0", 2)


async def test_feedback_on_a_remembered_answer_names_what_was_asked_and_who_answered(
    served: ServedModel,
) -> None:
    answer = (await served.ask(input="hello", unit_id="u1")).json()
    served.deploy("1.1.0", 2)

    taken = await served.http.post(
        "/v1/feedback", json={"interaction_id": answer["interaction_id"], "expected": "bye"}
    )

    assert taken.status_code == 202
    (event,) = served.sender.sent
    assert isinstance(event, FeedbackReceived)
    assert (event.input, event.actual, event.expected) == ("hello", "hello", "bye")
    # The version that answered, not the one that answers by now.
    assert (event.model_version, event.unit_id) == ("1.0.0", "u1")
    assert event.model_digest == WEIGHTS.digest


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({"interaction_id": "lost", "rating": 5}, 404, "no interaction 'lost'"),
        ({"interaction_id": "i", "input": "a"}, 422, "at least one of expected"),
        ({"interaction_id": "i", "input": "a", "rating": 9}, 422, "rating"),
        (["no object"], 422, "no object"),
    ],
)
async def test_feedback_that_cannot_be_sent_says_why(
    served: ServedModel, body: Any, status: int, sentence: str
) -> None:
    answer = await served.http.post("/v1/feedback", json=body)

    assert answer.status_code == status
    assert sentence in answer.json()["detail"]
    assert served.sender.sent == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", "body"),
        (b"[]", "body"),
        (b'{"input": ""}', "input"),
        (b'{"input": 3}', "input"),
        (b'{"input": "a", "unit_id": ""}', "unit_id"),
        (b'{"input": "a", "other": 1}', "other"),
        (b'{"input": "' + b"a" * 40_000 + b'"}', "input"),
    ],
)
async def test_a_request_that_cannot_be_read_names_the_field(
    served: ServedModel, body: bytes, field: str
) -> None:
    answer = await served.http.post("/v1/answers", content=body)

    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(field)


async def test_a_model_that_fails_is_a_logged_interaction_with_an_error(
    served: ServedModel,
) -> None:
    answer = await served.ask(input="boom")
    await served.log.flush()

    assert answer.status_code == 500
    (logged,) = served.sender.sent
    assert isinstance(logged, InteractionLogged)
    assert (logged.actual, logged.error) == (None, "RuntimeError")


async def test_before_the_first_deployment_the_server_is_not_ready() -> None:
    served = ServedModel()

    answers = [await served.ask(input="a"), await served.http.get("/healthz")]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert answers[0].headers["retry-after"] == "1"
    served.model.close()


async def test_interactions_wait_while_the_broker_is_away_and_answers_go_on(
    served: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interaction_log, "MAX_UNSENT", 2)
    served.sender.is_away = True
    answers = [await served.ask(input=str(number)) for number in range(3)]
    feedback = await served.http.post(
        "/v1/feedback", json={"interaction_id": "i", "input": "a", "rating": 5}
    )

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert feedback.status_code == 503
    assert not await served.log.flush()
    served.sender.is_away = False
    assert await served.log.flush()
    assert [event.input for event in served.sender.sent] == ["1", "2"]
    counters = (await served.http.get("/healthz")).json()["interactions"]
    assert counters == {"sent": 2, "unsent": 0, "dropped": 1}


async def test_units_are_divided_between_the_arms_and_keep_theirs(served: ServedModel) -> None:
    experiment = compared("ab_test", 0.5)
    served.deploy("1.0.0", 2, experiment)

    rounds = [
        [(await served.ask(input="a", unit_id=f"u{n}")).json() for n in range(40)] for _ in range(2)
    ]

    versions = [[answer["version"] for answer in answers] for answers in rounds]
    assert versions[0] == versions[1]
    assert set(versions[0]) == {"1.0.0", "1.1.0"}
    assert {answer["digest"] for answer in rounds[0]} == {WEIGHTS.digest, "c" * 64}
    assert {answer["experiment_id"] for answer in rounds[0]} == {str(experiment.experiment_id)}


async def test_traffic_without_units_is_divided_by_interaction(served: ServedModel) -> None:
    served.deploy("1.0.0", 2, compared("canary", 0.5))

    answers = [(await served.ask(input="a")).json()["version"] for _ in range(40)]

    assert set(answers) == {"1.0.0", "1.1.0"}


async def test_a_shadow_is_logged_as_one_and_never_answers(served: ServedModel) -> None:
    served.deploy("1.0.0", 2, compared("shadow", 0.999999))

    answers = [(await served.ask(input=str(n), unit_id="u")).json() for n in range(5)]
    await eventually(lambda: served.log.unsent == 10)
    await served.log.flush()

    assert {answer["version"] for answer in answers} == {"1.0.0"}
    logged = [e for e in served.sender.sent if isinstance(e, InteractionLogged)]
    shadow = [e for e in logged if e.model_version == "1.1.0"]
    assert len(shadow) == 5
    assert {e.traffic_class for e in shadow} == {TrafficClass.SHADOW}
    assert {e.traffic_class for e in logged if e not in shadow} == {None}
