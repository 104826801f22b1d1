"""An agent that is stopped while the broker has its feedback and has not answered."""

import asyncio
import io
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.demo.agent import DemoAgent
from deploy.demo.client_log import AnswerRecord, ProductionRequest


class SlowBroker:
    """Takes feedback at once and acknowledges it later."""

    def __init__(self) -> None:
        self.taken, self.acknowledges = asyncio.Event(), asyncio.Event()

    async def send(self, _event: Any) -> str:
        self.taken.set()
        await self.acknowledges.wait()
        return "event-1"


class FixedAnswers:
    """Answers `tool` with version 1.0.0."""

    async def answer(self, *_: Any, **__: Any) -> Any:
        return SimpleNamespace(
            prediction=SimpleNamespace(output="tool"),
            model=SimpleNamespace(version="1.0.0", digest="d"),
            experiment_id=None,
        )

    def build_feedback(self, stated: Any) -> Any:
        return stated


async def test_feedback_that_was_sent_is_logged_though_the_agent_is_stopped() -> None:
    broker, log = SlowBroker(), io.StringIO()
    agent: Any = DemoAgent.__new__(DemoAgent)
    agent._settings = SimpleNamespace(id="agent")
    agent._feedback, agent._answers = broker, FixedAnswers()

    async def models() -> None:
        return None

    agent._model = SimpleNamespace(models=models)
    request = ProductionRequest(request_id="r", input="open it", correction="close")
    handling = asyncio.create_task(agent._handle(request, log))
    await broker.taken.wait()

    handling.cancel()
    await asyncio.sleep(0)
    broker.acknowledges.set()
    with pytest.raises(asyncio.CancelledError):
        await handling

    assert AnswerRecord.model_validate_json(log.getvalue()).feedback_event_id == "event-1"
