"""A generator through the whole system: registered, trained, gated, deployed, served, retrained."""

from pathlib import Path
from typing import Any

import pytest

from archon_inference import read_card
from deploy.demo.agent_process import AgentFiles
from deploy.demo.client_log import ProductionRequest, read_answers
from deploy.demo.traffic import Traffic
from deploy.gateway_client import ApiError
from tests.support.data.tiny_world import GATE
from tests.support.eventually import eventually
from tests.support.infrastructure.system import System

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
AGENT, LEARNER = "writer", "learner"
PLACES = ("oslo", "paris", "the city", "my city")
WEATHER, MUSIC, HOTEL = "rain", "song", "room"
# Enough for a model of a few thousand parameters to learn three answers.
TRAINING = {"epochs": 100, "max_steps": 80, "seed": 1, "batch_size": 8, "learning_rate": 0.01} | {
    # The old answers beside the new one: the gate refuses a version that lost them.
    "replay_ratio": 1.0,
}


async def test_a_generator_is_trained_gated_deployed_served_and_learns_from_feedback(
    system: System, tmp_path: Path
) -> None:
    await _upload(system, AGENT)
    await system.gateway.post("/v1/agents", _profile(AGENT, _tiny_base(system)))
    await eventually(lambda: _is_known(system, AGENT), timeout=60)
    request = {"agent_id": AGENT, "method": "supervised", "dataset": f"{AGENT}-first"}
    first = await system.completed((await system.gateway.post("/v1/jobs", request))["job_id"])

    files = AgentFiles.fresh(tmp_path)
    traffic = Traffic(files.requests)
    async with system.agent(AGENT, files) as process:
        await process.start()
        traffic.send(_corrected_requests())
        second = await system.completed(await system.retrain_of(AGENT))
        later = [ProductionRequest(request_id="later", input="find a hotel in oslo")]
        async with traffic.trickling(later, every_seconds=0.2):
            await eventually(
                lambda: read_answers(files.client_log)[-1].version == second["version"],
                timeout=30,
            )

    answers = read_answers(files.client_log)
    assert (answers[0].version, first["version"]) == ("1.0.0", "1.0.0")
    assert answers[0].answer == WEATHER
    assert answers[-1].answer == HOTEL
    evaluated = second["evaluation"]["accuracy"]["candidate"]["all"]
    assert evaluated["value"] > second["evaluation"]["accuracy"]["deployed"]["all"]["value"]
    _check_shared_base(system, first, second)


def _check_shared_base(system: System, *jobs: dict[str, Any]) -> None:
    """Both versions hold the same base model, and an adapter of their own."""
    folders = [next(system.data_dir.rglob(f"{job['digest'][:2]}/{job['digest']}")) for job in jobs]
    assert [read_card(folder).adapters for folder in folders] == [("adapter",)] * 2
    for name, same in (("model.safetensors", True), ("adapter/adapter_model.safetensors", False)):
        one, other = ((folder / name).read_bytes() for folder in folders)
        assert (one == other) is same


def _tiny_base(system: System) -> str:
    # Imported here: it brings torch, which most tests do without.
    from tests.support.training.tiny_models import tiny_causal_model

    folder = system.data_dir / "tiny-generator"
    return (folder if folder.is_dir() else tiny_causal_model(folder, spread=0.15)).as_uri()


def _profile(agent_id: str, base_model: str) -> dict[str, Any]:
    return {
        "agent_id": agent_id,
        "kind": "generator",
        "base_model": base_model,
        "evaluation_dataset": f"{agent_id}-held-out",
        "trigger": {"minimum_feedback": 2 * len(PLACES), "cooldown_seconds": 0},
        "gate": GATE,
        "training": TRAINING,
    }


async def test_a_generator_learns_from_preferences_and_from_rewards(system: System) -> None:
    """Over the API; that the candidate is then better is the recipes' tests' matter."""
    await _upload(system, LEARNER)
    await system.gateway.post("/v1/agents", _profile(LEARNER, _tiny_base(system)))
    await eventually(lambda: _is_known(system, LEARNER), timeout=60)
    pairs = [
        {"input": f"forecast for {place}", "target": WEATHER, "rejected": [MUSIC]}
        for place in PLACES
    ]
    uploaded = {"name": f"{LEARNER}-pairs", "purpose": "training", "items": pairs}
    await system.gateway.post("/v1/datasets", uploaded)
    steps = {"max_steps": 4}

    asked = [
        {"method": "preference", "dataset": f"{LEARNER}-pairs", "config": steps},
        {
            "method": "reinforcement",
            "dataset": f"{LEARNER}-first",
            "config": {**steps, "supervised_steps": 30},
        },
    ]
    for request in asked:
        accepted = await system.gateway.post("/v1/jobs", {"agent_id": LEARNER, **request})
        job = await system.ends(accepted["job_id"])
        assert job["state"] in ("completed", "rejected"), job["reason"]


async def _is_known(system: System, agent_id: str) -> bool:
    try:
        await system.gateway.get(f"/v1/agents/{agent_id}")
    except ApiError:
        return False
    return True


async def _upload(system: System, agent_id: str) -> None:
    """Suite and first items; nobody taught the first version what to say of hotels."""
    first = [
        {"input": f"{verb} {place}", "target": target}
        for verb, target in (("forecast for", WEATHER), ("play the song of", MUSIC))
        for place in PLACES
    ]
    suite = [
        {"input": f"please {verb} {place}", "target": target}
        for verb, target in (
            ("forecast for", WEATHER),
            ("play the song of", MUSIC),
            ("find a hotel in", HOTEL),
        )
        for place in PLACES
    ]
    for name, purpose, items in (
        (f"{agent_id}-first", "training", first),
        (f"{agent_id}-held-out", "evaluation", suite),
    ):
        await system.gateway.post(
            "/v1/datasets", {"name": name, "purpose": purpose, "items": items}
        )


def _corrected_requests() -> list[ProductionRequest]:
    served = ProductionRequest(request_id="served", input="forecast for oslo")
    inputs = [f"{verb} a hotel in {place}" for verb in ("find", "book") for place in PLACES]
    corrected = [
        ProductionRequest(request_id=f"hotel-{n}", input=text, correction=HOTEL)
        for n, text in enumerate(inputs)
    ]
    return [served, *corrected]
