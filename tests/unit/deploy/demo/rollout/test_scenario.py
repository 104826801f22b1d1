"""The acts of the rollout, with a gateway that states what a system would."""

from pathlib import Path
from typing import Any

import pytest

from deploy.demo.client_log import AnswerRecord, ProductionRequest
from deploy.demo.progress_view import ProgressView
from deploy.demo.rollout.scenario import RolloutScenario, count_moves, describe_canary
from deploy.demo.traffic import Traffic
from shared.artifacts.store import ArtifactStore

REQUESTS = [ProductionRequest(request_id=f"r{n}", input="?", correction="!") for n in range(4)]
JOB = {"job_id": "j", "version": "1.1.0"}


def answer(version: str, user: str, *, compared: bool = True, corrected: bool = True) -> Any:
    return AnswerRecord(
        request_id="r",
        input="?",
        answer="!",
        version=version,
        digest="d",
        unit_id=user,
        experiment_id="e" if compared else None,
        feedback_event_id="f" if corrected else None,
    )


class DecidedGateway:
    """A gateway whose job has ended, and whose newest deployment is `change`."""

    def __init__(self, **change: str) -> None:
        self.change = change
        self.posted: list[tuple[str, Any]] = []

    async def get(self, path: str, **query: Any) -> dict[str, Any]:
        if path.endswith("/deployments"):
            return {"items": [self.change]}
        if path == "/v1/experiments":
            return {"items": [{"experiment_id": "e", "state": "promoted"}]}
        if path == "/v1/experiments/e":
            return {
                "experiment_id": "e",
                "stop_reason": "nothing got worse",
                "measures": [{"difference": {"value": 0.2, "low": -0.1, "high": 0.5, "n": 3}}],
            }
        return {"state": "completed"}

    async def post(self, path: str, body: Any) -> dict[str, Any]:
        self.posted.append((path, body))
        return {}


def acts(tmp_path: Path, gateway: DecidedGateway, answers: list[Any]) -> RolloutScenario:
    traffic = Traffic(tmp_path / "requests.jsonl")
    store = ArtifactStore(tmp_path.as_uri())
    return RolloutScenario(gateway, "picker", traffic, ProgressView(), lambda: answers, store)


async def test_a_canary_is_counted_from_answers_that_were_compared(tmp_path: Path) -> None:
    answers = [
        answer("1.0.0", "a", compared=False),
        answer("1.0.0", "a"),
        answer("1.0.0", "b", corrected=False),
        answer("1.1.0", "a"),
        answer("1.1.0", "a", compared=False),
    ]
    gateway = DecidedGateway()

    found = await acts(tmp_path, gateway, answers).run_canary(JOB, REQUESTS, control="1.0.0")

    assert found.answers == {"1.0.0": 2, "1.1.0": 1}
    assert found.feedback == {"1.0.0": 1, "1.1.0": 1}
    assert (found.moved, found.moved_back) == (1, 0)
    assert "1 answers of 1.1.0 beside 2 of 1.0.0" in describe_canary(found)
    assert "-10 to +50 points at all 1 looks; nothing got worse" in describe_canary(found)


async def test_a_rollback_counts_feedback_on_the_worse_version_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [answer("1.1.0", "a")]
    gateway = DecidedGateway(
        action="rollback", version="1.1.0", actor="system (automatic rollback)", reason="worse"
    )
    scenario = acts(tmp_path, gateway, answers)

    async def imported(_good: str) -> str:
        return "1.2.0"

    async def post(path: str, body: Any) -> dict[str, Any]:
        assert path == "/v1/agents/picker/models/1.2.0/deploy"
        answers.extend([answer("1.2.0", "a"), answer("1.2.0", "b"), answer("1.1.0", "a")])
        return {}

    monkeypatch.setattr(scenario, "_import_worse", imported)
    monkeypatch.setattr(gateway, "post", post)
    found = await scenario.run_rollback(REQUESTS, good="1.1.0")

    assert (found.worse, found.restored, found.feedback) == ("1.2.0", "1.1.0", 2)
    assert found.actor.startswith("system")


def test_a_user_who_comes_back_from_the_candidate_is_counted() -> None:
    answers = [answer(version, "a") for version in ("1.0.0", "1.1.0", "1.0.0")]

    assert count_moves(answers, control="1.0.0") == (1, 1)
