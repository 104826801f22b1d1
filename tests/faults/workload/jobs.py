"""Trainings of a tiny selector in the whole system: begun, and waited for."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from archon_contracts.events import FeedbackReceived, JobState
from deploy.gateway_client import AsyncGatewayClient
from tests.faults.system import LocalSystem
from tests.faults.waiting import until
from tests.faults.workload.load import HttpFeedbackLoad
from tests.support.data.tiny_world import (
    agent,
    corrections,
    first_items,
    held_out_items,
    tiny_model,
)

AGENT = "picker"
STEPS = 30
RETRAINS = """
SELECT state FROM coordinator.jobs
WHERE agent_id = $1 AND facts->'window'->>'window_id' IS NOT NULL ORDER BY created_at
"""
JOB = "SELECT state, attempt FROM coordinator.jobs WHERE job_id = $1::text::uuid"


class TinyJobs:
    """The trainings of one agent."""

    def __init__(self, system: LocalSystem, gateway: AsyncGatewayClient) -> None:
        self._system = system
        self._gateway = gateway
        self._rounds = 0
        self.facts: dict[str, object] = {}

    async def begin(self) -> str:
        """Ask for a supervised training; returns its job."""
        request = {"agent_id": AGENT, "method": "supervised", "dataset": "first"}
        return str((await self._gateway.post("/v1/jobs", request))["job_id"])

    async def correct(self, load: HttpFeedbackLoad) -> None:
        """Send as many corrections as a retrain waits for; each round's are new ones."""
        self._rounds += 1
        made = [FeedbackReceived.model_validate(each) for each in corrections(AGENT)]
        new = [
            each.model_copy(update={"interaction_id": f"{each.interaction_id}-{self._rounds}"})
            for each in made
        ]
        await load.deliver(new)

    async def retrains(self) -> list[str]:
        """The states of the jobs that corrections started, oldest first."""
        rows = await self._system.reader.fetch(RETRAINS, AGENT)
        return [row["state"] for row in rows]

    async def retrained(self, count: int, *, timeout: float) -> bool:
        """Wait until so many retrains are over."""

        async def over() -> bool:
            return sum(JobState(state).is_final for state in await self.retrains()) >= count

        return await until(over, timeout=timeout)

    async def ended(self, job_id: str, *, timeout: float = 120) -> str:
        """The state in which a job ends, or is left when the time is over."""
        state = ["unknown"]

        async def over() -> bool:
            rows = await self._system.reader.fetch(JOB, job_id)
            state[:] = [row["state"] for row in rows]
            self.facts["training attempts"] = max((row["attempt"] for row in rows), default=0)
            return bool(state) and JobState(state[0]).is_final

        await until(over, timeout=timeout)
        return state[0] if state else "unknown"


@contextlib.asynccontextmanager
async def tiny_jobs(system: LocalSystem, folder: Path) -> AsyncIterator[TinyJobs]:
    """The agent and its data are known to the system."""
    base_model = tiny_model(folder / "tiny-encoder")
    runtime = system.runtime
    async with AsyncGatewayClient(runtime.endpoints.gateway_url, runtime.api_key) as gateway:
        for name, purpose, items in (
            ("held-out", "evaluation", held_out_items()),
            ("first", "training", first_items()),
        ):
            await gateway.post("/v1/datasets", {"name": name, "purpose": purpose, "items": items})
        await gateway.post("/v1/agents", agent(AGENT, base_model, steps=STEPS))
        yield TinyJobs(system, gateway)
