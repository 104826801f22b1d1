"""The last acts: a canary that users' feedback decides, and a rollback that nobody asks for.

In both, users ask what no version has seen, and say of each answer what it should have been. The
agent sends that as feedback on the version that answered; the registry decides by it alone.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict

from archon_contracts.events import JobState
from deploy.demo.client_log import AnswerRecord, ProductionRequest
from deploy.demo.errors import DemoError
from deploy.demo.polling import poll_until
from deploy.demo.progress_view import ProgressView
from deploy.demo.rollout.worse_version import publish_worse
from deploy.demo.traffic import Traffic
from deploy.gateway_client import AsyncGatewayClient
from shared.artifacts.store import ArtifactStore

# Small steps, as befits some hundred requests; an agent of your own takes days and thousands.
POLICY: Final[dict[str, Any]] = {
    "mode": "canary",
    "canary_shares": [0.25, 0.5],
    "step_answers": 15,
}
ASK_SECONDS: Final = 0.06
CANARY_SECONDS: Final = 120.0
ROLLBACK_SECONDS: Final = 120.0
T = TypeVar("T")
MISTAKE: Final = "made by hand: names in its catalogue stand beside vectors of other tools"


class CanaryResult(BaseModel):
    """A canary as the agent's own log has it. `answers` and `feedback` are counted by version."""

    model_config = ConfigDict(frozen=True)

    control: str
    candidate: str
    answers: dict[str, int]
    feedback: dict[str, int]
    moved: int
    """Users whom both versions answered: those that a larger step moved to the candidate."""
    moved_back: int
    """Users whom the deployed version answered again after the candidate had: must be none."""
    experiment_id: str
    looks: int
    """How often the registry published what the comparison showed."""
    difference: dict[str, float] | None
    """Of mean outcomes, in the confidence sequence of the last look."""
    reason: str
    seconds: float


class RollbackResult(BaseModel):
    """A worse version that was deployed by hand, and what became of it."""

    model_config = ConfigDict(frozen=True)

    worse: str
    restored: str
    feedback: int
    """Feedback on answers of the worse version, which is all that showed it."""
    actor: str
    reason: str
    seconds: float


class RolloutScenario:
    """Both acts, of an agent that is served."""

    def __init__(
        self,
        gateway: AsyncGatewayClient,
        agent_id: str,
        traffic: Traffic,
        view: ProgressView,
        answers: Callable[[], list[AnswerRecord]],
        artifacts: ArtifactStore,
    ) -> None:
        self._gateway = gateway
        self._agent_id = agent_id
        self._traffic = traffic
        self._view = view
        self._answers = answers
        self._artifacts = artifacts

    async def run_canary(
        self, job: dict[str, Any], requests: Sequence[ProductionRequest], *, control: str
    ) -> CanaryResult:
        """Send requests until the job's candidate is deployed, or refused by its feedback.

        Raises:
            DemoError: it was not decided in time.
        """
        began, job_id = time.monotonic(), job["job_id"]

        async def ended() -> bool | None:
            found = await self._gateway.get(f"/v1/jobs/{job_id}")
            return JobState(found["state"]).is_final or None

        await self._ask_until("feedback decided the canary", ended, requests, CANARY_SECONDS)
        experiment = await self._read_experiment()
        compared = [each for each in self._answers() if each.experiment_id]
        moved, moved_back = count_moves(compared, control=control)
        result = CanaryResult(
            control=control,
            candidate=job["version"],
            answers=_by_version(compared),
            feedback=_by_version(each for each in compared if each.feedback_event_id),
            moved=moved,
            moved_back=moved_back,
            experiment_id=experiment["experiment_id"],
            looks=len(experiment["measures"]),
            difference=experiment["measures"][-1].get("difference"),
            reason=experiment["stop_reason"],
            seconds=round(time.monotonic() - began, 2),
        )
        self._view.log(describe_canary(result))
        return result

    async def run_rollback(
        self, requests: Sequence[ProductionRequest], *, good: str
    ) -> RollbackResult:
        """Import a worse version, deploy it by hand, and send requests until it is gone again.

        Raises:
            DemoError: it was not rolled back in time.
        """
        worse = await self._import_worse(good)
        began, before = time.monotonic(), len(self._answers())
        path = f"/v1/agents/{self._agent_id}/models/{worse}/deploy"
        await self._gateway.post(path, {"reason": MISTAKE})
        self._view.log(f"version {worse} was deployed by hand; {MISTAKE}")

        async def restored() -> dict[str, Any] | None:
            (change,) = await self._changes(limit=1)
            is_back = change["action"] == "rollback" and change["version"] == good
            serves = self._answers()[-1].version == good
            return change if is_back and serves else None

        what = f"version {worse} was rolled back"
        change = await self._ask_until(what, restored, requests, ROLLBACK_SECONDS)
        wrong = [each for each in self._answers()[before:] if each.version == worse]
        result = RollbackResult(
            worse=worse,
            restored=change["version"],
            feedback=sum(each.feedback_event_id is not None for each in wrong),
            actor=change["actor"],
            reason=change["reason"],
            seconds=round(time.monotonic() - began, 2),
        )
        self._view.log(describe_rollback(result))
        return result

    async def _read_experiment(self) -> dict[str, Any]:
        """The agent's only experiment, once the gateway shows its end."""

        async def ended() -> dict[str, Any] | None:
            found = (await self._gateway.get("/v1/experiments", agent_id=self._agent_id))["items"]
            if not found or found[0]["state"] == "running":
                return None
            path = f"/v1/experiments/{found[0]['experiment_id']}"
            experiment: dict[str, Any] = await self._gateway.get(path)
            return experiment

        return await poll_until("the canary's end is shown", ended)

    async def _import_worse(self, good: str) -> str:
        """The version that a damaged copy of `good` got."""
        path = f"/v1/agents/{self._agent_id}/models"
        source: dict[str, Any] = await self._gateway.get(f"{path}/{good}")
        artifact = await publish_worse(self._artifacts, source["uri"])
        body = {"artifact": artifact.model_dump(), "source": f"{good}, changed", "reason": MISTAKE}
        await self._gateway.post(path, body)

        async def registered() -> str | None:
            models = (await self._gateway.get(path))["items"]
            return next((m["version"] for m in models if m["digest"] == artifact.digest), None)

        return await poll_until("the worse version was registered", registered)

    async def _ask_until(
        self,
        fact: str,
        probe: Callable[[], Awaitable[T | None]],
        requests: Sequence[ProductionRequest],
        seconds: float,
    ) -> T:
        async with self._traffic.trickling(requests, every_seconds=ASK_SECONDS):
            return await poll_until(fact, probe, seconds=seconds)

    async def _changes(self, *, limit: int) -> list[dict[str, Any]]:
        """The newest changes of the deployed version."""
        path = f"/v1/agents/{self._agent_id}/deployments"
        found: list[dict[str, Any]] = (await self._gateway.get(path, limit=limit))["items"]
        if not found:
            raise DemoError(f"{self._agent_id} has no deployed version.")
        return found


def count_moves(answers: Iterable[AnswerRecord], *, control: str) -> tuple[int, int]:
    """Users who went to the candidate, and users who came back from it, by answers in order."""
    last: dict[str | None, bool] = {}
    moved: set[str | None] = set()
    moved_back: set[str | None] = set()
    for each in answers:
        is_control, was_control = each.version == control, last.get(each.unit_id)
        if was_control is not None and is_control != was_control:
            (moved_back if is_control else moved).add(each.unit_id)
        last[each.unit_id] = is_control
    return len(moved), len(moved_back)


def describe_canary(result: CanaryResult) -> str:
    """What happened, in one sentence with its counts."""
    candidate, control, lead = result.candidate, result.control, ""
    if result.difference is not None:
        low, high = (100 * result.difference[end] for end in ("low", "high"))
        lead = f"; difference {low:+.0f} to {high:+.0f} points at all {result.looks} looks"
    return (
        f"canary: {result.answers.get(candidate, 0)} answers of {candidate} beside "
        f"{result.answers.get(control, 0)} of {control}, scored by "
        f"{sum(result.feedback.values())} users' corrections; {result.moved} users were moved to "
        f"{candidate} and {result.moved_back} back{lead}; {result.reason}"
    )


def describe_rollback(result: RollbackResult) -> str:
    """What happened, in one sentence with its counts."""
    return (
        f"rollback: {result.worse} was deployed by hand, and {result.restored} was back after "
        f"{result.feedback} feedback events and {result.seconds:.1f} s; {result.reason}"
    )


def _by_version(answers: Iterable[AnswerRecord]) -> dict[str, int]:
    return dict(Counter(each.version for each in answers))
