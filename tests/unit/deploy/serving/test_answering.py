"""Answers of assigned versions, as the server and the demo's agent give them."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from archon_contracts.event_ids import FeedbackEvent
from archon_contracts.events import FeedbackReceived, InteractionLogged
from archon_contracts.identifiers import EventId
from archon_contracts.rollouts.experiment import Experiment
from archon_contracts.traffic_classes import RESERVED_PREFIX
from deploy.demo.agent import AgentSettings, DemoAgent
from deploy.demo.client_log import ProductionRequest
from deploy.serving.answering import AgentAnswers
from deploy.serving.errors import UnknownInteraction
from deploy.serving.hot_swap_model import HotSwapModel
from deploy.serving.interaction_log import InteractionLog
from tests.support.eventually import eventually
from tests.support.served_answers import (
    CANDIDATE,
    WEIGHTS,
    KeepingSender,
    compared,
    configured,
    serve_now,
)


class AnsweringAgent:
    """Answers of echoing models, whose configuration is replaced at will."""

    def __init__(self) -> None:
        self.model, self.sender = HotSwapModel(), KeepingSender()
        self.log = InteractionLog(self.sender)
        self.answers = AgentAnswers("acme", "picker", self.model.batcher, self.log)

    def serve(self, revision: int, experiment: Experiment | None = None) -> None:
        serve_now(self.model, configured("1.0.0", revision, experiment))

    async def ask(self, name: str, unit_id: str | None = None) -> str:
        found = await self.answers.answer(
            await self.model.models(), name, interaction_id=name, unit_id=unit_id
        )
        return found.model.version


async def test_no_request_is_lost_while_arms_come_and_go() -> None:
    agent = AnsweringAgent()
    agent.serve(1)
    asked: list[asyncio.Task[str]] = []

    for revision in range(2, 42):
        agent.serve(revision, compared("canary", 0.5) if revision % 2 else None)
        asked += [asyncio.create_task(agent.ask(f"{revision}-{n}")) for n in range(5)]
        await asyncio.sleep(0)
    answered = Counter(await asyncio.gather(*asked))
    while agent.log.unsent:
        await agent.log.flush()

    assert answered.total() == 200
    assert min(answered["1.0.0"], answered["1.1.0"]) > 20
    logged = [e for e in agent.sender.sent if isinstance(e, InteractionLogged)]
    assert Counter(e.model_version for e in logged) == answered
    digests = {e.model_version: e.model_digest for e in logged}
    assert digests == {"1.0.0": WEIGHTS.digest, "1.1.0": CANDIDATE.artifact.digest}
    agent.model.close()


async def test_feedback_belongs_to_the_arm_that_answered_after_that_arm_is_gone() -> None:
    agent = AnsweringAgent()
    agent.serve(1, compared("ab_test", 0.999999))
    await agent.ask("hello", unit_id="u")
    agent.serve(2)

    event = agent.answers.build_feedback({"interaction_id": "hello", "rating": 5})

    assert (event.model_version, event.unit_id) == ("1.1.0", "u")
    assert event.model_digest == CANDIDATE.artifact.digest
    agent.model.close()


async def test_no_feedback_is_built_on_the_answer_of_a_shadow() -> None:
    agent = AnsweringAgent()
    agent.serve(1, compared("shadow", 0.999999))
    await agent.ask("hello")
    await eventually(lambda: agent.log.unsent == 2)
    await agent.log.flush()

    ids = {e.interaction_id for e in agent.sender.sent if isinstance(e, InteractionLogged)}
    (shadow,) = (name for name in ids if name.startswith(RESERVED_PREFIX))
    with pytest.raises(UnknownInteraction):
        agent.answers.build_feedback({"interaction_id": shadow, "expected": "hello"})
    on_answer = agent.answers.build_feedback({"interaction_id": "hello", "expected": "bye"})
    assert on_answer.model_version == "1.0.0"
    agent.model.close()


async def test_answers_that_were_being_sent_at_the_end_are_sent_after_all() -> None:
    agent = AnsweringAgent()
    agent.serve(1)
    await agent.ask("hello")

    class StuckSender(KeepingSender):
        async def send_many(self, events: Iterable[FeedbackEvent]) -> list[EventId]:
            await asyncio.Event().wait()
            return []

    agent.log._sender = StuckSender()
    sending = asyncio.create_task(agent.log.flush())
    await asyncio.sleep(0)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)

    assert agent.log.unsent == 1
    agent.model.close()


async def test_the_demo_agent_answers_by_arm_and_says_so_in_its_feedback(tmp_path: Path) -> None:
    settings = AgentSettings(
        id="picker",
        tenant_id="acme",
        kafka_bootstrap_servers="nowhere:9",
        gateway_url="http://nowhere",
        api_key="k",
        requests=tmp_path / "requests.jsonl",
        client_log=tmp_path / "log.jsonl",
    )
    sender = KeepingSender()
    agent = DemoAgent(settings, sender)
    experiment = compared("canary", 0.5)
    serve_now(agent._model, configured("1.0.0", 1, experiment))

    with settings.client_log.open("a") as log:
        for n in range(20):
            request = ProductionRequest(
                request_id=f"r{n}", input="?", correction="!", unit_id=f"u{n % 10}"
            )
            await agent._handle(request, log)

    noted = [json.loads(line) for line in settings.client_log.read_text().splitlines()]
    sent = [event for event in sender.sent if isinstance(event, FeedbackReceived)]
    assert [(e.model_version, e.model_digest) for e in sent] == [
        (line["version"], line["digest"]) for line in noted
    ]
    versions = [line["version"] for line in noted]
    assert versions[:10] == versions[10:]
    assert set(versions) == {"1.0.0", "1.1.0"}
    assert {line["experiment_id"] for line in noted} == {str(experiment.experiment_id)}
    agent._model.close()
