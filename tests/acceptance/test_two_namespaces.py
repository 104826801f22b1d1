"""Two whole systems on one Kafka, each in its namespace, go through the loop side by side."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from deploy.demo.audit import FeedbackAudit, audit_feedback
from deploy.gateway_client import AsyncGatewayClient
from deploy.local.processes.tcp_ports import pick_free
from deploy.local.runtime import Runtime
from deploy.local.settings import LocalSettings
from tests.support.data.tiny_world import first_items, held_out_items, tiny_model
from tests.support.infrastructure.system import System

# The same name in both: what is not kept apart by the namespace would be counted twice.
AGENT = "picker"
FEEDBACK = 24
NAMESPACES = ("red", "blue")


@asynccontextmanager
async def _system(folder: Path, kafka: str, base_model: str) -> AsyncIterator[System]:
    """All services on that broker, with an embedded database of their own."""
    settings = LocalSettings(data_dir=folder, gateway_port=pick_free(), broker=kafka)
    async with (
        Runtime(settings) as runtime,
        AsyncGatewayClient(runtime.endpoints.gateway_url, runtime.api_key) as gateway,
    ):
        held_out = {"name": "held-out", "purpose": "evaluation", "items": held_out_items()}
        first = {"name": "first", "purpose": "training", "items": first_items()}
        for dataset in (held_out, first):
            await gateway.post("/v1/datasets", dataset)
        yield System(runtime, gateway, folder, base_model)


async def _loop(system: System) -> FeedbackAudit:
    """A first version, corrections, a second version; what became of the corrections."""
    await system.deploy_first_version(AGENT)
    sent = await system.correct(AGENT)
    job = await system.completed(await system.retrain_of(AGENT))
    assert await system.versions(AGENT) == ["1.0.0", job["version"]]
    return await audit_feedback(system.runtime.endpoints.database_url, AGENT, sent)


@pytest.mark.timeout(500)
async def test_two_namespaces_on_one_kafka_pass_the_loop_side_by_side(
    tmp_path: Path, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    base_model = tiny_model(tmp_path / "tiny-encoder")
    monkeypatch.setenv("ARCHON_LEASE_SECONDS", "3")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    # Where this is the embedded broker: it does not hold an empty fetch back.
    monkeypatch.setenv("ARCHON_KAFKA_EMPTY_FETCH_WAIT_MAX_MS", "100")
    systems: list[System] = []
    async with AsyncExitStack() as running:
        for name in NAMESPACES:
            folder = tmp_path / name
            monkeypatch.setenv("ARCHON_NAMESPACE", name)
            monkeypatch.setenv("ARCHON_TRAINER_WORK_DIR", str(folder / "trainer"))
            systems.append(await running.enter_async_context(_system(folder, kafka, base_model)))
        audits = await asyncio.gather(*map(_loop, systems))
        expected = FeedbackAudit(sent=FEEDBACK, stored=FEEDBACK, used=FEEDBACK, lost=0, double=0)
        assert audits == [expected, expected]
        for system in systems:
            assert not await system.archon("dlq", "list")
