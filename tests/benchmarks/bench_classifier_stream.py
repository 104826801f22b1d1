"""CLINC150's ten domains as a stream of corrections through the whole system, one retrain each.

Each step registers the agent with one domain's labels more, sends 20 corrections an intent, waits
for the retrain that the trigger starts, and scores the deployed version outside the system on all
test rows of the domains so far. Everything is on its defaults. Beside it stand two closed forms
fitted to all domains at once, and again at each step to the domains so far, which shows what more
classes cost any model: a plain one on mean-pooled unit vectors, and the product's own.
"""

import asyncio
import time
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archon_contracts.events import JobState
from archon_inference.classifier import Classifier
from archon_inference.loading import load_predictor
from deploy.gateway_client import AsyncGatewayClient
from tests.benchmarks.harness import Figure, median
from tests.benchmarks.learning.clinc import (
    BASE_MODEL,
    Domain,
    FrozenVectors,
    accuracy_by_domain,
    forgetting,
    mean,
    own_closed_form,
    plain_closed_form,
    read_domains,
)
from tests.benchmarks.learning.clinc import DATA_FILE as DATA_FILE
from tests.benchmarks.system import fresh_system

SEEDS, DOMAINS, PER_INTENT, SUITE_PER_INTENT = (0, 1, 2), 10, 20, 15
TIMEOUT_SECONDS, POLL_SECONDS, BATCH = 300.0, 0.2, 200
# Each step's accuracy takes one prediction for every test row.
TEST_PER_INTENT: int | None = None
INTENTS: int | None = None
"""Of each domain; None: all."""
TRAINING: dict[str, Any] = {}
"""Of the agent, beyond the defaults."""
TINY = {
    "SEEDS": (0,),
    "DOMAINS": 2,
    "INTENTS": 5,
    "TRAINING": {"max_steps": 4},
    "PER_INTENT": 4,
    "SUITE_PER_INTENT": 4,
    "TEST_PER_INTENT": 2,
}

Accuracies = dict[str, float]
"""By domain."""


@dataclass(frozen=True, slots=True)
class StreamResult:
    """One run: the steps' outcomes and accuracies, and those of two joint fits at each step."""

    states: tuple[str, ...]
    seconds: tuple[float, ...]
    accuracy: tuple[Accuracies, ...]
    plain: tuple[Accuracies, ...]
    own: tuple[Accuracies, ...]

    @property
    def final(self) -> float:
        """Mean accuracy over all domains at the end."""
        return mean(self.accuracy[-1])

    @property
    def joint(self) -> float:
        """The better one of the joint fits."""
        return max(mean(self.plain[-1]), mean(self.own[-1]))


def run() -> list[Figure]:
    """Run the stream once per seed; figures are medians over the seeds."""
    results = [asyncio.run(_stream(seed, DOMAINS)) for seed in SEEDS]

    def figure(
        name: str, of: Callable[[StreamResult], float], *, reach: float | None = None, up: bool
    ) -> Figure:
        return median(name, [of(r) for r in results], reach=reach, higher_is_better=up)

    fewest = min(result.states.count("completed") for result in results)
    seconds = [second for result in results for second in result.seconds[1:]]
    return [
        Figure(name="windows deployed, fewest", figure=fewest, unit="", reach=DOMAINS),
        figure("final mean accuracy", lambda r: r.final, reach=0.90, up=True),
        figure("closed form fitted jointly (plain)", lambda r: mean(r.plain[-1]), up=True),
        figure("closed form fitted jointly (ours)", lambda r: mean(r.own[-1]), up=True),
        figure(
            "final mean below the better joint fit",
            lambda r: r.joint - r.final,
            reach=0.01,
            up=False,
        ),
        figure("worst domain at the end", lambda r: min(r.accuracy[-1].values()), up=True),
        figure("forgetting, mean", lambda r: mean(forgetting(r.accuracy)), up=False),
        figure("forgetting of the joint fit, mean", lambda r: mean(forgetting(r.own)), up=False),
        figure(
            "forgetting beyond the joint fit's, mean",
            lambda r: mean(forgetting(r.accuracy)) - mean(forgetting(r.own)),
            reach=0.01,
            up=False,
        ),
        figure(
            "forgetting, worst domain",
            lambda r: max(forgetting(r.accuracy).values()),
            reach=0.03,
            up=False,
        ),
        figure(
            "forgetting of the joint fit, worst domain",
            lambda r: max(forgetting(r.own).values()),
            up=False,
        ),
        median("seconds from a window to its version", seconds, higher_is_better=False, unit="s"),
    ]


async def _stream(seed: int, count: int) -> StreamResult:
    domains = [
        domain.part(domain.name, domain.intents[:INTENTS])
        for domain in read_domains(seed, PER_INTENT, SUITE_PER_INTENT, TEST_PER_INTENT)[:count]
    ]
    agent = f"clinc-{seed}"
    states, seconds, accuracy = [], [], []
    frozen = FrozenVectors("layers")
    frozen.embed([text for domain in domains for text, _ in domain.test])
    async with fresh_system() as (_, gateway):
        for step, domain in enumerate(domains):
            labels = [intent for known in domains[: step + 1] for intent in known.intents]
            await _register(gateway, agent, step, domains[: step + 1], labels)
            began = time.perf_counter()
            state = await _teach(gateway, agent, step, domain, labels)
            seconds.append(time.perf_counter() - began)
            states.append(state)
            accuracy.append(await _accuracy(gateway, agent, domains[: step + 1], frozen))
            print(f"seed {seed}, {domain.name}: {state}, {mean(accuracy[-1]):.4f}", flush=True)
    plain, own = _joint_fits(domains)
    return StreamResult(tuple(states), tuple(seconds), tuple(accuracy), plain, own)


def _joint_fits(
    domains: Sequence[Domain],
) -> tuple[tuple[Accuracies, ...], tuple[Accuracies, ...]]:
    """Accuracies of the two closed forms after each step, each fitted anew to all rows so far."""
    pooled, layers = FrozenVectors(), FrozenVectors("layers")
    steps = [domains[: step + 1] for step in range(len(domains))]
    rows = [[row for domain in known for row in domain.train] for known in steps]
    return (
        tuple(plain_closed_form(pooled, r, known) for r, known in zip(rows, steps, strict=True)),
        tuple(own_closed_form(layers, r, known) for r, known in zip(rows, steps, strict=True)),
    )


async def _register(
    gateway: AsyncGatewayClient,
    agent: str,
    step: int,
    domains: Sequence[Domain],
    labels: Sequence[str],
) -> None:
    suite = [{"input": t, "target": i, "group": d.name} for d in domains for t, i in d.suite]
    name = f"{agent}-suite-{step}"
    await gateway.post("/v1/datasets", {"name": name, "purpose": "evaluation", "items": suite})
    await gateway.post(
        "/v1/agents",
        {
            "agent_id": agent,
            "kind": "classifier",
            "base_model": BASE_MODEL,
            "labels": labels,
            "evaluation_dataset": name,
            "trigger": {"minimum_feedback": len(domains[-1].train), "cooldown_seconds": 0},
            "training": TRAINING,
        },
    )


async def _teach(
    gateway: AsyncGatewayClient, agent: str, step: int, domain: Domain, labels: Sequence[str]
) -> str:
    """The first domain as a dataset, each later one as corrections; the state its job ends in."""
    if step == 0:
        items = [{"input": text, "target": intent} for text, intent in domain.train]
        name = f"{agent}-first"
        await gateway.post("/v1/datasets", {"name": name, "purpose": "training", "items": items})
        body = {"agent_id": agent, "method": "supervised", "dataset": name}
        job = (await gateway.post("/v1/jobs", body))["job_id"]
        return await _final_state(gateway, str(job))
    known = await job_ids(gateway, agent)
    events = [
        {
            "agent_id": agent,
            "interaction_id": f"{step}-{number}",
            "input": text,
            "actual": labels[0],
            "expected": intent,
            "unit_id": f"u{number % 97}",
        }
        for number, (text, intent) in enumerate(domain.train)
    ]
    for start in range(0, len(events), BATCH):
        await gateway.post("/v1/feedback", {"events": events[start : start + BATCH]})
    return await end_of_window(gateway, agent, known)


async def end_of_window(gateway: AsyncGatewayClient, agent: str, known: Set[str]) -> str:
    """The state that the job of a window ends in: the first that is neither known nor an update."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        for job_id in await job_ids(gateway, agent) - known:
            if not await _is_update(gateway, job_id):
                return await _final_state(gateway, job_id)
        await asyncio.sleep(POLL_SECONDS)
    return "not triggered"


async def job_ids(gateway: AsyncGatewayClient, agent: str) -> set[str]:
    """Of an agent's newest jobs."""
    return {str(job["job_id"]) for job in (await gateway.get("/v1/jobs", agent_id=agent))["items"]}


async def _is_update(gateway: AsyncGatewayClient, job_id: str) -> bool:
    """Whether it is an update of the fast path: those learn the first corrections of a window."""
    history = (await gateway.get(f"/v1/jobs/{job_id}"))["history"]
    return not history or str(history[0]["reason"]).startswith("fast path")


async def _final_state(gateway: AsyncGatewayClient, job_id: str) -> str:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        job = await gateway.get(f"/v1/jobs/{job_id}")
        if JobState(job["state"]).is_final:
            if job["state"] != "completed":
                print(f"job {job_id} is {job['state']}: {job['reason']}")
            return str(job["state"])
        await asyncio.sleep(POLL_SECONDS)
    return "not ended"


async def _accuracy(
    gateway: AsyncGatewayClient, agent: str, domains: Sequence[Domain], frozen: FrozenVectors
) -> Accuracies:
    """Accuracy of the deployed version on the test rows of each domain."""
    version = (await gateway.get(f"/v1/agents/{agent}"))["deployed_version"]
    if version is None:
        return dict.fromkeys((domain.name for domain in domains), 0.0)
    record = await gateway.get(f"/v1/agents/{agent}/models/{version}")
    model = load_predictor(Path(record["uri"].removeprefix("file://")))
    assert isinstance(model, Classifier)
    return accuracy_by_domain(model, domains, frozen)
