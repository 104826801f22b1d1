"""BFCL's tool families in five steps of corrections through the whole system, defaults only.

The steps and the families that are never taught are those of `selector_stream`, which runs the
recipe alone. Here each step's requests are sent as corrections over the API, the count trigger
starts the retrain, and the gate decides on a suite of every second held-out request; the deployed
version is scored outside the system on the others. Joint training by the recipe on all corrections
and the base model without training are scored on the same requests.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from archon_inference.base_models import resolve_base_model
from archon_inference.catalogue import write_catalogue
from archon_inference.encoder import TextEncoder
from archon_inference.selector import embed_tools
from deploy.demo.bfcl import BenchmarkItem
from deploy.gateway_client import AsyncGatewayClient
from tests.benchmarks.bench_classifier_stream import end_of_window, job_ids
from tests.benchmarks.harness import Figure, median
from tests.benchmarks.learning import bench_selector_stream as recipe
from tests.benchmarks.learning.clinc import BASE_MODEL, FROZEN_LAYERS
from tests.benchmarks.system import fresh_system

SEEDS, STEPS = (0, 1, 2), 5
BATCH = 200
TRAINING: dict[str, Any] = {}
"""Of the agent, beyond the defaults."""
TOOLS: int | None = None
REQUEST_STRIDE, HELD_OUT_STRIDE = 1, 1
TINY = {
    "SEEDS": (0,),
    "STEPS": 1,
    "TRAINING": {"max_steps": 2},
    "TOOLS": 16,
    "REQUEST_STRIDE": 4,
    "HELD_OUT_STRIDE": 10,
}


@dataclass(frozen=True, slots=True)
class ApiStreamResult:
    """One run: the state in which each step's job ended, and top-1 of three models at the end."""

    states: tuple[str, ...]
    seconds: tuple[float, ...]
    ours: recipe.Scores
    joint: recipe.Scores
    base: recipe.Scores


def run() -> list[Figure]:
    """The stream once per seed; figures are medians over the seeds, steps the fewest of all."""
    results = [asyncio.run(_run_seed(seed)) for seed in SEEDS]

    def figure(
        name: str, of: Callable[[ApiStreamResult], float], reach: float | None, up: bool
    ) -> Figure:
        return median(name, [of(each) for each in results], reach=reach, higher_is_better=up)

    fewest = min(result.states.count("completed") for result in results)
    seconds = [each for result in results for each in result.seconds]
    return [
        Figure(name="steps deployed, fewest", figure=fewest, unit="", reach=STEPS),
        figure("ours: top-1, taught families", lambda r: r.ours[0], None, True),
        figure("joint training: top-1, taught families", lambda r: r.joint[0], None, True),
        figure("base model: top-1, taught families", lambda r: r.base[0], None, True),
        figure("ours: top-1, never taught families", lambda r: r.ours[1], None, True),
        figure("base model: top-1, never taught families", lambda r: r.base[1], None, True),
        figure("ours below joint training", lambda r: r.joint[0] - r.ours[0], 0.01, False),
        figure(
            "ours below the base model, never taught families",
            lambda r: r.base[1] - r.ours[1],
            0.0,
            False,
        ),
        median("seconds from a step to its version", seconds, higher_is_better=False, unit="s"),
    ]


async def _run_seed(seed: int) -> ApiStreamResult:
    whole = recipe.read_stream(seed, TOOLS, REQUEST_STRIDE, HELD_OUT_STRIDE)
    suite = [*whole.taught[::2], *whole.unseen[::2]]
    stream = replace(
        whole,
        steps=whole.steps[:STEPS],
        taught=whole.taught[1::2],
        unseen=whole.unseen[1::2],
    )
    agent, states, seconds, ours = f"tools-{seed}", [], [], (0.0, 0.0)
    async with fresh_system() as (_, gateway):
        await _upload_suite(gateway, agent, suite)
        for place, step in enumerate(stream.steps):
            await _register(gateway, agent, stream, step)
            began = time.perf_counter()
            states.append(await _teach(gateway, agent, place, step))
            seconds.append(time.perf_counter() - began)
            version = (await gateway.get(f"/v1/agents/{agent}"))["deployed_version"]
            if version is not None:
                record = await gateway.get(f"/v1/agents/{agent}/models/{version}")
                ours = recipe.score(Path(record["uri"].removeprefix("file://")), stream)
            print(f"seed {seed}, step {place}: {states[-1]}, {version}, {ours}", flush=True)
    joint, base = _fit_jointly(seed, stream), _score_base_model(stream)
    print(f"seed {seed}: joint {joint}, base {base}", flush=True)
    return ApiStreamResult(tuple(states), tuple(seconds), ours, joint, base)


async def _upload_suite(
    gateway: AsyncGatewayClient, agent: str, items: Sequence[BenchmarkItem]
) -> None:
    body = {
        "name": f"{agent}-suite",
        "purpose": "evaluation",
        "items": [asdict(item) for item in items],
    }
    await gateway.post("/v1/datasets", body)


async def _register(
    gateway: AsyncGatewayClient, agent: str, stream: recipe.Stream, step: Sequence[BenchmarkItem]
) -> None:
    """The trigger fires with the last correction of the step."""
    body = {
        "agent_id": agent,
        "kind": "selector",
        "base_model": BASE_MODEL,
        "catalogue": [asdict(tool) for tool in stream.tools],
        "evaluation_dataset": f"{agent}-suite",
        "trigger": {"minimum_feedback": len(step), "cooldown_seconds": 0},
        "training": TRAINING,
    }
    await gateway.post("/v1/agents", body)


async def _teach(
    gateway: AsyncGatewayClient, agent: str, place: int, step: Sequence[BenchmarkItem]
) -> str:
    """Send the step's corrections; the state its window's job ends in."""
    known = await job_ids(gateway, agent)
    other = step[0].target
    events = [
        {
            "agent_id": agent,
            "interaction_id": f"{place}-{item.id}",
            "input": item.input,
            # An answer that was wrong; which one does not matter to a correction.
            "actual": other if item.target != other else step[-1].target,
            "expected": item.target,
            "unit_id": f"u{number % 97}",
        }
        for number, item in enumerate(step)
    ]
    for start in range(0, len(events), BATCH):
        await gateway.post("/v1/feedback", {"events": events[start : start + BATCH]})
    return await end_of_window(gateway, agent, known)


def _fit_jointly(seed: int, stream: recipe.Stream) -> recipe.Scores:
    with tempfile.TemporaryDirectory(prefix="archon-bench-") as name:
        root = Path(name)
        write_catalogue(root / "catalogue.json", stream.tools)
        version = recipe.train(root, "joint", None, stream.corrections, [], seed, TRAINING)
        return recipe.score(version, stream)


def _score_base_model(stream: recipe.Stream) -> recipe.Scores:
    """Nearest tool by its description under the frozen encoder."""
    encoder = TextEncoder.load(resolve_base_model(BASE_MODEL, None), FROZEN_LAYERS)
    tools_TH = embed_tools(encoder, stream.tools, recipe.TOOL_TOKENS)

    def right(items: Sequence[BenchmarkItem]) -> float:
        texts = [item.input for item in items]
        best = (encoder.embed(texts, recipe.MAXIMUM_TOKENS) @ tools_TH.T).argmax(1).tolist()
        hits = [stream.tools[at].name == item.target for at, item in zip(best, items, strict=True)]
        return sum(map(bool, hits)) / max(1, len(items))

    return right(stream.taught), right(stream.unseen) if stream.unseen else 0.0
