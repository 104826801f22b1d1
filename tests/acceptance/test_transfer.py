"""An agent's version becomes the start of another agent, over HTTP and over Kafka."""

from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from archon_contracts.events import TrainingRequested
from archon_contracts.identifiers import new_id
from archon_contracts.topics import JOBS
from tests.support.data.tiny_world import (
    GATE,
    OLD_VERBS,
    TOOLS,
    TRAINING,
    VERBS,
    first_items,
    items,
)
from tests.support.eventually import eventually
from tests.support.infrastructure.system import System

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
NEW_VERBS = tuple(verb for verb in VERBS if verb not in OLD_VERBS)
STEPS = {"max_steps": 20, "checkpoint_steps": 100}
# The first version has to beat a random base model, which says none of the answers.
GENERATOR_TRAINING = {
    "epochs": 100,
    "max_steps": 80,
    "batch_size": 8,
    "learning_rate": 0.01,
    "seed": 1,
    "checkpoint_steps": 100,
}


@pytest.mark.parametrize("kind", ["classifier", "selector", "generator"])
async def test_a_version_of_one_agent_is_the_start_of_another(system: System, kind: str) -> None:
    teacher, pupil = f"teacher-{kind}", f"pupil-{kind}"
    known, new = first_items(), items(("{} a {}", "{} {} to me"), NEW_VERBS)
    if kind == "generator":
        known, new = (
            spoken("forecast for", "rain", "play the song of", "song"),
            spoken("find a hotel in", "room", "forecast for", "rain"),
        )
    await upload(system, teacher, known)
    await upload(system, pupil, new)
    base = base_model(system, kind)
    await system.configure(profile(teacher, kind, base, OLD_VERBS))
    await system.configure(profile(pupil, kind, base, NEW_VERBS))
    request = {"agent_id": teacher, "method": "supervised", "dataset": f"{teacher}-training"}
    await system.completed((await system.gateway.post("/v1/jobs", request))["job_id"])

    config = {"method": "transfer", "dataset": f"{pupil}-training", "sourceAgent": teacher}
    body = {"agentId": pupil, "config": config | {"validation": {"split": 0.3}}}
    accepted = await system.gateway.post("/v1/functions/trainAgent", body)
    job = await system.ends(accepted["jobId"])

    # Random models: whether the candidate is better is luck, and the gate's matter.
    assert job["state"] in ("completed", "rejected"), job["reason"]
    if job["state"] == "completed":
        model = await system.gateway.get(f"/v1/agents/{pupil}/models/{job['version']}")
        facts = model["lineage"]["facts"]
        assert (facts["source_agent"], facts["method"]) == (teacher, "transfer")
    measured = await read_reasons(system, accepted["jobId"])
    assert "the same training from the base model" in measured
    assert "no training" in measured


async def test_a_transfer_is_requested_over_kafka_and_names_what_is_wrong(system: System) -> None:
    agent = "pupil-by-kafka"
    await system.configure(profile(agent, "selector", base_model(system, "selector"), VERBS))
    event = TrainingRequested(
        job_id=new_id(), agent_id=agent, method="transfer", source_agent="nobody"
    )

    job = await request_by_kafka(system, event)

    assert (job["state"], job["method"]) == ("failed", "transfer")
    assert "source_agent nobody is not configured" in job["reason"]


async def read_reasons(system: System, job_id: str) -> str:
    """Why the run learnt; its end comes as an event of its own, after the last state."""
    found: list[str] = []

    async def is_reported() -> bool:
        job = await system.gateway.get(f"/v1/jobs/{job_id}")
        found.extend((job["learning"] or {}).get("reasons", ()))
        return bool(found)

    await eventually(is_reported, timeout=30)
    return " ".join(found)


def spoken(*pairs: str) -> list[dict[str, Any]]:
    """Requests with one-word answers that the small generator can say."""
    return [
        {"input": f"{verb} {place}", "target": answer}
        for verb, answer in zip(pairs[::2], pairs[1::2], strict=True)
        for place in ("oslo", "paris", "the city", "my city")
    ]


async def upload(system: System, agent_id: str, training: list[dict[str, Any]]) -> None:
    """What the agent learns from, and what its versions are compared on."""
    suite = [each | {"input": f"please {each['input']}"} for each in training]
    for purpose, rows in (("training", training), ("evaluation", suite)):
        body = {"name": f"{agent_id}-{purpose}", "purpose": purpose, "items": rows}
        await system.gateway.post("/v1/datasets", body)


def base_model(system: System, kind: str) -> str:
    """A random model that knows the words of the tiny world."""
    # Imported here: it brings torch, which most tests do without.
    from tests.support.training.tiny_models import tiny_causal_model, tiny_encoder

    folder = system.data_dir / f"tiny-transfer-{'generator' if kind == 'generator' else 'encoder'}"
    if folder.is_dir():
        return folder.as_uri()
    made = tiny_causal_model(folder, spread=0.15) if kind == "generator" else tiny_encoder(folder)
    return made.as_uri()


def profile(agent_id: str, kind: str, base: str, verbs: tuple[str, ...]) -> dict[str, Any]:
    names = [tool["name"] for tool in TOOLS if tool["name"].startswith(verbs)]
    answers: dict[str, dict[str, Any]] = {
        "classifier": {"labels": names},
        "selector": {"catalogue": [tool for tool in TOOLS if tool["name"] in names]},
        "generator": {},
    }
    return {
        "agent_id": agent_id,
        "kind": kind,
        "base_model": base,
        "evaluation_dataset": f"{agent_id}-evaluation" if "kafka" not in agent_id else None,
        "trigger": {"enabled": False},
        "fast_path": {"enabled": False},
        "gate": GATE,
        "training": GENERATOR_TRAINING if kind == "generator" else {**TRAINING, **STEPS},
        **answers[kind],
    }


async def request_by_kafka(system: System, event: TrainingRequested) -> dict[str, Any]:
    """The job of a request that comes on the topic of jobs, once it has ended."""
    producer = AIOKafkaProducer(
        bootstrap_servers=system.runtime.endpoints.kafka_bootstrap_servers, acks="all"
    )
    await producer.start()
    try:
        headers = [("ce_type", TrainingRequested.message_type().encode())]
        await producer.send_and_wait(
            JOBS.name, event.to_bytes(), headers=headers, key=str(event.job_id).encode()
        )
    finally:
        await producer.stop()
    await system.known_job(str(event.job_id))
    return await system.ends(str(event.job_id))
