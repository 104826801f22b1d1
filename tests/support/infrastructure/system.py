"""A whole system and the steps that tests of it share."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from typer.testing import CliRunner

from archon_contracts.events import FeedbackReceived, JobState
from archon_contracts.topics import FEEDBACK
from deploy.cli import app
from deploy.demo.agent_process import AgentFiles, AgentProcess
from deploy.demo.audit import audit_feedback
from deploy.gateway_client import ApiError, AsyncGatewayClient
from deploy.local.runtime import Runtime
from tests.support.data.tiny_world import agent, corrections
from tests.support.eventually import eventually


@dataclass(frozen=True, slots=True)
class System:
    """Everything running, and the steps that these tests share."""

    runtime: Runtime
    gateway: AsyncGatewayClient
    data_dir: Path
    base_model: str

    async def deploy_first_version(self, agent_id: str, *, steps: int = 30) -> None:
        """Register an agent and train its version 1.0.0."""
        await self.configure(agent(agent_id, self.base_model, steps=steps))
        request = {"agent_id": agent_id, "method": "supervised", "dataset": "first"}
        accepted = await self.gateway.post("/v1/jobs", request)
        await self.completed(accepted["job_id"])

    async def configure(self, profile: dict[str, Any]) -> None:
        """Register an agent; the answer 202 says that it is not confirmed yet."""
        await self.gateway.post("/v1/agents", profile)
        await self._found(f"/v1/agents/{profile['agent_id']}")

    async def known_job(self, job_id: str) -> None:
        """Wait until the gateway shows a job that was requested past it."""
        await self._found(f"/v1/jobs/{job_id}")

    async def _found(self, path: str) -> None:
        async def there() -> bool:
            try:
                await self.gateway.get(path)
            except ApiError as error:
                if error.status != 404:
                    raise
                return False
            return True

        await eventually(there, timeout=60)

    async def correct(self, agent_id: str) -> list[str]:
        """Send all corrections over HTTP; returns the ids that were acknowledged."""
        body = {"events": corrections(agent_id)}
        return list((await self.gateway.post("/v1/feedback", body))["event_ids"])

    async def retrain_of(self, agent_id: str) -> str:
        """The job that feedback started."""
        found: list[str] = []

        async def started() -> bool:
            jobs = (await self.gateway.get("/v1/jobs", agent_id=agent_id))["items"]
            found[:] = [job["job_id"] for job in jobs if job["method"] == "continual"]
            return bool(found)

        await eventually(started, timeout=60)
        return found[0]

    async def reaches(self, job_id: str, *states: str) -> dict[str, Any]:
        """The job once it is in one of `states`."""
        job: dict[str, Any] = {}

        async def there() -> bool:
            job.update(await self.gateway.get(f"/v1/jobs/{job_id}"))
            return job["state"] in states

        await eventually(there, timeout=200)
        return job

    async def ends(self, job_id: str) -> dict[str, Any]:
        """The job once it has ended, however it ended."""
        return await self.reaches(job_id, *(state for state in JobState if state.is_final))

    async def completed(self, job_id: str) -> dict[str, Any]:
        """The job once it has completed; another end fails the test."""
        job = await self.ends(job_id)
        assert job["state"] == "completed", job["reason"]
        return job

    async def versions(self, agent_id: str) -> list[str]:
        """The versions that were ever deployed, oldest first."""
        models = (await self.gateway.get(f"/v1/agents/{agent_id}/models"))["items"]
        return sorted(model["version"] for model in models if model["deployed_at"])

    async def recorded(self, agent_id: str, action: str) -> dict[str, dict[str, Any]]:
        """An agent's newest audit entry of each action, once there is one of this."""
        newest: dict[str, dict[str, Any]] = {}

        async def there() -> bool:
            found = await self.archon("audit", "list", "--agent", agent_id)
            newest.update({entry["action"]: entry for entry in reversed(found)})
            return action in newest

        await eventually(there, timeout=60)
        return newest

    def agent(self, agent_id: str, files: AgentFiles) -> AgentProcess:
        """The demo's agent, serving `agent_id`."""
        runtime = self.runtime
        return AgentProcess(
            agent_id, files, runtime.endpoints, runtime.api_key, trusted_key=runtime.public_key
        )

    async def publish_raw(self, body: dict[str, Any]) -> None:
        """Put a feedback event on the topic as any Kafka client could, past the gateway."""
        await publish_raw_feedback(self.runtime.endpoints.kafka_bootstrap_servers, body)

    async def dead_letter(self) -> dict[str, Any]:
        """The first dead letter, once there is one."""
        found: list[dict[str, Any]] = []

        async def there() -> bool:
            found[:] = await self.archon("dlq", "list")
            return bool(found)

        await eventually(there, timeout=60)
        return found[0]

    async def stored(self, agent_id: str, count: int) -> bool:
        """Whether so many of an agent's feedback events are in the coordinator's store."""
        audit = await audit_feedback(self.runtime.endpoints.database_url, agent_id, [])
        return audit.stored == count

    async def archon(self, *arguments: str) -> Any:
        """What an `archon` command prints with --json."""
        return json.loads(await self.archon_output(*arguments, "--json"))

    async def archon_output(self, *arguments: str) -> str:
        """What an `archon` command prints."""
        where = ("--url", self.gateway.url, "--api-key", self.runtime.api_key)
        result = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, *where])
        assert result.exit_code == 0, result.output
        return result.stdout


async def publish_raw_feedback(servers: str, body: dict[str, Any]) -> None:
    """Put a feedback event on the topic, whatever it says."""
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all")
    await producer.start()
    try:
        headers = [("ce_type", FeedbackReceived.message_type().encode())]
        await producer.send_and_wait(
            FEEDBACK.name, json.dumps(body).encode(), headers=headers, key=b"default/late"
        )
    finally:
        await producer.stop()
