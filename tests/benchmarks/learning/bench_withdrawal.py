"""From the retraction of 200 learnt items over Kafka to an agent that serves without them.

The real model (MiniLM) and CLINC150. A first version knows some intents; then a window of
corrections teaches more examples of them, and the agent serves what is deployed. The retractions
are sent at once: of a third of what was taught, since the gate leaves a version to a person that
loses a topic with them (decision 85). The clock stops when the agent serves a version whose sums
hold none of the items. Then its head is compared with one that is fitted, by the texts, to what is
left. Everything is on its defaults, and a smaller withdrawal before warms the children up.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import torch
from safetensors.torch import load_file

from archon_contracts.client import KafkaFeedbackClient
from archon_contracts.event_ids import event_id_of
from archon_contracts.events import FeedbackReceived, FeedbackRetracted
from archon_inference.card import read_card
from archon_inference.encoder import TextEncoder
from archon_inference.encoding.learnt_vectors import text_digest
from archon_inference.model_files import HEAD_FILE
from deploy.gateway_client import AsyncGatewayClient
from deploy.serving.hot_swap_model import HotSwapModel
from services.trainer.closed_form.learnt_items import ClosedFormState, LearntItem, load_state
from services.trainer.closed_form.logistic_head import fit_head
from tests.benchmarks.bench_correction_latency import DATA_FILE as DATA_FILE
from tests.benchmarks.bench_correction_latency import (
    Intent,
    deploy_first,
    read_intents,
    serving_agent,
    wait_until_quiet,
)
from tests.benchmarks.harness import Figure
from tests.benchmarks.system import WARM_UP_SECONDS, fresh_system

AGENT_ID = "withdrawn"
KNOWN, FIRST, CORRECTIONS, WITHDRAWN, WARM_UP = 60, 5, 10, 200, 12
LABELS_ARE_CODES = True
"""Names of labels teach so much that 300 more corrections are no gain which is surely none by
chance: the window was refused, and there was nothing to withdraw."""
POLICIES: dict[str, object] = {}
"""Of the agent, beyond the defaults."""
# So few examples of so many intents that corrections change answers, and labels whose names say
# nothing: a version that learns nothing is not deployed. No backoff after one that is not, which is
# no part of what is shown.
TINY = {
    "KNOWN": 24,
    "FIRST": 1,
    "CORRECTIONS": 2,
    "WITHDRAWN": 3,
    "WARM_UP": 1,
    "WARM_UP_SECONDS": 0.0,
    "POLICIES": {
        "fast_path": {"backoff_seconds": 0, "maximum_items": 48, "maximum_loss": 0.5},
        # With one example of a label a few more may cost an answer or two elsewhere.
        "gate": {"maximum_forgetting": 0.5},
        "trigger": {"minimum_feedback": 200},
        # What is withdrawn is in the sums of the closed form.
        "training": {"fine_tuning": "never"},
    },
    "QUIET_SECONDS": 0.5,
}
QUIET_SECONDS = 2.0
"""After the last correction: by then a job for it has begun."""
POLL_SECONDS, TIMEOUT_SECONDS = 0.01, 90.0
WINDOW_SECONDS = 180.0
SOURCE = f"agent/{AGENT_ID}"


def run() -> list[Figure]:
    """Teach, warm up, retract, and compare with a fit without the items."""
    seconds, difference, withdrawn = asyncio.run(_measure())
    return [
        Figure(
            name="retraction to an agent that serves without the items",
            figure=seconds,
            unit="s",
            reach=2,
            higher_is_better=False,
        ),
        Figure(
            name="largest difference to a fit without them",
            figure=difference,
            unit="",
            reach=1e-5,
            higher_is_better=False,
        ),
        Figure(name="items withdrawn", figure=withdrawn, unit="", reach=WITHDRAWN),
    ]


async def _measure() -> tuple[float, float, int]:
    intents = read_intents()[:KNOWN]
    if LABELS_ARE_CODES:
        intents = [replace(intent, name=f"c{number}") for number, intent in enumerate(intents)]
    known = [Intent(i.name, i.train[:FIRST], i.suite) for i in intents]
    async with fresh_system() as (runtime, gateway):
        await deploy_first(gateway, known, [], AGENT_ID, **POLICIES)
        await asyncio.sleep(WARM_UP_SECONDS)
        servers = runtime.endpoints.kafka_bootstrap_servers
        async with (
            serving_agent(servers, AGENT_ID) as model,
            KafkaFeedbackClient(servers, source=SOURCE) as client,
        ):
            sent = await _teach(gateway, client, intents)
            learnt = await _learnt(gateway, model, sent)
            await _withdraw(client, model, learnt[:WARM_UP])
            await wait_until_quiet(gateway, AGENT_ID)
            chosen = learnt[WARM_UP : WARM_UP + WITHDRAWN]
            seconds = await _withdraw(client, model, chosen)
            folder = await _folder(model)
            texts = [text for each in known for text in each.train]
            texts += [str(event.input) for event in sent]
            return seconds, _difference(folder, texts), len(chosen)


async def _teach(
    gateway: AsyncGatewayClient, client: KafkaFeedbackClient, intents: Sequence[Intent]
) -> list[FeedbackReceived]:
    """More examples of what is known, each from a user of its own; returns what was sent."""
    rows = [
        (text, intent.name) for intent in intents for text in intent.train[FIRST:][:CORRECTIONS]
    ]
    sent = [
        FeedbackReceived(
            tenant_id="default",
            agent_id=AGENT_ID,
            interaction_id=f"taught-{number}",
            input=text,
            actual="",
            expected=target,
            unit_id=f"user-{number}",
        )
        for number, (text, target) in enumerate(rows)
    ]
    for event in sent:
        await client.send(event)
    await asyncio.sleep(QUIET_SECONDS)
    await wait_until_quiet(gateway, AGENT_ID)
    return sent


async def _learnt(
    gateway: AsyncGatewayClient, model: HotSwapModel, sent: Sequence[FeedbackReceived]
) -> list[FeedbackReceived]:
    """Those that the served version holds, once it holds enough; the trust rules keep some out."""
    deadline, found = time.monotonic() + WINDOW_SECONDS, list[FeedbackReceived]()
    while time.monotonic() < deadline:
        await wait_until_quiet(gateway, AGENT_ID)
        ids = _ids(await _folder(model))
        found = [event for event in sent if str(event_id_of(event, SOURCE)) in ids]
        if len(found) >= WARM_UP + WITHDRAWN:
            return found
        await asyncio.sleep(1.0)
    jobs = (await gateway.get("/v1/jobs", agent_id=AGENT_ID))["items"]
    ends = [f"{job['state']}: {job['reason']}" for job in jobs]
    raise RuntimeError(f"{len(found)} of {len(sent)} corrections were learnt; jobs: {ends}")


async def _withdraw(
    client: KafkaFeedbackClient, model: HotSwapModel, events: Sequence[FeedbackReceived]
) -> float:
    """Seconds until the served version holds none of them."""
    gone = {str(event_id_of(event, SOURCE)) for event in events}
    began = time.perf_counter()
    await client.send_many(
        FeedbackRetracted(
            tenant_id="default", agent_id=AGENT_ID, interaction_id=event.interaction_id
        )
        for event in events
    )
    looked_at: Path | None = None
    while time.perf_counter() - began < TIMEOUT_SECONDS:
        folder = await _folder(model)
        served_at = time.perf_counter()
        if folder != looked_at and gone.isdisjoint(_ids(folder)):
            return served_at - began
        looked_at = folder
        await asyncio.sleep(POLL_SECONDS)
    raise RuntimeError(f"{len(events)} items were not withdrawn in {TIMEOUT_SECONDS:.0f} s")


async def _folder(model: HotSwapModel) -> Path:
    """Where the weights of the served version lie."""
    _, path = fsspec.core.url_to_fs((await model.models()).deployed.uri)
    return Path(path)


def _ids(folder: Path) -> set[str]:
    state = load_state(folder)
    return {name for item in state.items.values() for name in item.ids} if state else set()


def _difference(folder: Path, texts: Sequence[str]) -> float:
    """Between the version's head and one that is fitted anew to the texts of its items."""
    state, card = load_state(folder), read_card(folder)
    assert state is not None, "a version of the fast path has sums"
    by_digest = {text_digest(text): text for text in texts}
    items = list(state.items.values())
    encoder = TextEncoder.load(folder, card.frozen_layers, device="cpu")
    remaining = [by_digest[item.text] for item in items]
    vectors_NH = encoder.embed(remaining, card.max_length, card.features).cpu()
    fitted = ClosedFormState.empty(encoder.feature_size(card.features)).learn(
        [
            LearntItem(item.text, item.target, item.weight, vector_H, item.ids)
            for item, vector_H in zip(items, vectors_NH, strict=True)
        ]
    )
    fitted = replace(fitted, names=state.names)
    expected: dict[str, Any] = fit_head(fitted, card.labels).state_dict()
    head = load_file(folder / HEAD_FILE)
    # Of a weight's size: the solve for the head is as exact as its covariance is well conditioned.
    return max(
        float((head[name] - torch.as_tensor(expected[name])).abs().max()) for name in expected
    )
