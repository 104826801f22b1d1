"""What trainings used, summed by agent: from what they report to the answer of the API."""

from datetime import UTC, datetime

import pytest

from archon_contracts.events import MetricPoint, MetricsRecorded
from archon_contracts.metric_names import COST, CPU_SECONDS, ENERGY, PEAK_MEMORY, WALL_SECONDS
from tests.support.eventually import eventually
from tests.support.gateway.gateway import ServedGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def train(gateway: ServedGateway, agent: str, **amounts: float) -> None:
    """A training of the agent that reports these amounts."""
    body = {"agent_id": agent, "method": "continual"}
    job_id = (await gateway.http.post("/v1/jobs", json=body)).json()["job_id"]
    names = {
        "cost": COST,
        "cpu": CPU_SECONDS,
        "energy": ENERGY,
        "memory": PEAK_MEMORY,
        "wall": WALL_SECONDS,
    }
    points = tuple(
        MetricPoint(name=names[name], value=value, step=9, recorded_at=datetime.now(UTC))
        for name, value in amounts.items()
    )
    event = MetricsRecorded(job_id=job_id, agent_id=agent, attempt=1, points=points)
    await gateway.publish(event, event)  # a second delivery counts once


async def test_trainings_are_summed_by_agent_and_together(
    gateway: ServedGateway, name: str
) -> None:
    one = await gateway.configure_agent(f"{name}-one")
    other = await gateway.configure_agent(f"{name}-other")
    await train(gateway, one, wall=10, cpu=20, energy=0.5, cost=1.5, memory=700)
    await train(gateway, one, wall=1, cpu=2, energy=0.25, cost=0.5, memory=900)
    await train(gateway, other, wall=5, cpu=5, energy=1, cost=1, memory=100)

    async def shown() -> None:
        found = await gateway.get("/v1/costs", agent_id=one)
        assert found["agents"] == [
            {
                "agent_id": one,
                "trainings": 2,
                "wall_seconds": 11,
                "cpu_seconds": 22,
                "gpu_seconds": 0,
                "energy_wh": 0.75,
                "cost": 2.0,
                "peak_memory_mb": 900,
            }
        ]
        assert found["total"]["cost"] == 2.0
        everybody = await gateway.get("/v1/costs")
        assert {one, other} <= {each["agent_id"] for each in everybody["agents"]}
        assert everybody["total"]["cost"] >= 3.0

    await eventually(shown)
