"""The running system evaluates, generates and is benchmarked: none of it starts a retrain."""

from typing import Any

import asyncpg
import pytest

from archon_contracts.client import HttpFeedbackClient, KafkaFeedbackClient, use_traffic_class
from archon_contracts.events import FeedbackReceived, InteractionLogged
from archon_contracts.traffic_classes import TrafficClass, internal_interaction_id
from tests.support.data.tiny_world import corrections
from tests.support.eventually import eventually
from tests.support.infrastructure.system import System

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
AGENT = "guarded"
COUNTERS_GROUP = """
SELECT unused, rated, windows, interactions, open_job_id FROM coordinator.feedback_stats
WHERE agent_id = $1
"""
SYSTEM_TRAFFIC = """
SELECT traffic_class, count(*)::int AS events FROM coordinator.internal_traffic
WHERE agent_id = $1 GROUP BY traffic_class
"""


async def test_what_the_system_does_to_a_deployed_agent_is_no_feedback(system: System) -> None:
    await system.deploy_first_version(AGENT)
    before = await rows(system, COUNTERS_GROUP)

    await evaluate(system)
    await generate(system)
    await benchmark(system)
    said = await send_internal_traffic(system)

    async def all_recorded() -> bool:
        return {
            row["traffic_class"]: row["events"] for row in await rows(system, SYSTEM_TRAFFIC)
        } == said

    await eventually(all_recorded, timeout=60)
    assert await rows(system, COUNTERS_GROUP) == before
    assert await methods(system) == {"supervised"}

    await system.correct(AGENT)
    job = await system.ends(await system.retrain_of(AGENT))
    assert job["trigger"]["feedback_count"] == len(corrections(AGENT))


async def evaluate(system: System) -> None:
    """A training of somebody's dataset, whose candidate is compared with the deployed version."""
    request = {"agent_id": AGENT, "method": "supervised", "dataset": "first"}
    accepted = await system.gateway.post("/v1/jobs", request)
    await system.ends(accepted["job_id"])
    evaluations = await rows(
        system, "SELECT count(DISTINCT job_id) AS n FROM gateway.evaluations WHERE agent_id = $1"
    )
    assert evaluations[0]["n"] == 2


async def generate(system: System) -> None:
    """Synthetic items for the agent."""
    request = {"agentId": AGENT, "scenarioType": "tool-use", "count": 5}
    asked = await system.gateway.post("/v1/functions/generateSyntheticTrainingData", request)

    async def ready() -> bool:
        found = await system.gateway.get(asked["result"])
        return bool(found["state"] == "ready" and found["items"])

    await eventually(ready, timeout=60)


async def benchmark(system: System) -> None:
    """All versions side by side, and the deployed one checked."""
    compared = await system.gateway.post("/v1/functions/benchmarkAgent", {"agentId": AGENT})
    assert compared["versions"]
    checked = await system.gateway.post("/v1/functions/validateModel", {"agentId": AGENT})
    assert checked["valid"]


async def send_internal_traffic(system: System) -> dict[str, int]:
    """Enough for a window each: a shadow, an evaluation, and a benchmark that does not mark it."""
    rated = [FeedbackReceived(**each) for each in corrections(AGENT)]
    ends = system.runtime.endpoints
    servers = ends.kafka_bootstrap_servers
    async with KafkaFeedbackClient(
        servers, source="shadow", traffic_class=TrafficClass.SHADOW
    ) as shadow:
        await shadow.send_many([_as(each, f"shadow-{n}") for n, each in enumerate(rated)])
    async with HttpFeedbackClient(ends.gateway_url, system.runtime.api_key) as client:
        with use_traffic_class(TrafficClass.EVALUATION):
            await client.send_many([_as(each, f"suite-{n}") for n, each in enumerate(rated)])
    ids = [internal_interaction_id(TrafficClass.BENCHMARK, AGENT, n) for n, _ in enumerate(rated)]
    async with KafkaFeedbackClient(servers, source="bench") as unmarked:
        await unmarked.send_many(
            InteractionLogged(agent_id=AGENT, interaction_id=each, input="q") for each in ids
        )
        await unmarked.send_many(_as(each, own) for each, own in zip(rated, ids, strict=True))
    return {"shadow": len(rated), "evaluation": len(rated), "benchmark": 2 * len(rated)}


def _as(event: FeedbackReceived, interaction_id: str) -> FeedbackReceived:
    return event.model_copy(update={"interaction_id": interaction_id})


async def methods(system: System) -> set[str]:
    """The methods of all the agent's jobs; a retrain by itself is a continual one."""
    jobs = (await system.gateway.get("/v1/jobs", agent_id=AGENT))["items"]
    return {job["method"] for job in jobs}


async def rows(system: System, query: str) -> list[dict[str, Any]]:
    """What a table says of the agent."""
    connection = await asyncpg.connect(system.runtime.endpoints.database_url)
    try:
        return [dict(row) for row in await connection.fetch(query, AGENT)]
    finally:
        await connection.close()
