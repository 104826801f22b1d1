"""Two whole systems on one Kafka, each in its namespace, go through the loop side by side."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deploy.demo.audit import FeedbackAudit, audit_feedback
from deploy.gateway_client import AsyncGatewayClient
from deploy.local.processes.tcp_ports import pick_free
from deploy.local.runtime import Runtime
from deploy.local.settings import LocalSettings
from tests.support.data.tiny_world import first_items, held_out_items
from tests.support.infrastructure.system import System

# The same name in both: what is not kept apart by the namespace would be counted twice.
AGENT = "in-two-namespaces"
FEEDBACK = 24
NAMESPACE = "blue"

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(500)]


@asynccontextmanager
async def _beside(system: System, folder: Path) -> AsyncIterator[System]:
    """All services once more, on the broker of that system and a database of their own."""
    kafka = system.runtime.endpoints.kafka_bootstrap_servers
    settings = LocalSettings(data_dir=folder, gateway_port=pick_free(), broker=kafka)
    async with (
        Runtime(settings) as runtime,
        AsyncGatewayClient(runtime.endpoints.gateway_url, runtime.api_key) as gateway,
    ):
        held_out = {"name": "held-out", "purpose": "evaluation", "items": held_out_items()}
        first = {"name": "first", "purpose": "training", "items": first_items()}
        for dataset in (held_out, first):
            await gateway.post("/v1/datasets", dataset)
        yield System(runtime, gateway, folder, system.base_model)


async def _loop(system: System) -> FeedbackAudit:
    """A first version, corrections, a second version; what became of the corrections."""
    await system.deploy_first_version(AGENT)
    sent = await system.correct(AGENT)
    job = await system.completed(await system.retrain_of(AGENT))
    assert await system.versions(AGENT) == ["1.0.0", job["version"]]
    return await audit_feedback(system.runtime.endpoints.database_url, AGENT, sent)


async def test_two_namespaces_on_one_kafka_pass_the_loop_side_by_side(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHON_LEASE_SECONDS", "3")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("ARCHON_NAMESPACE", NAMESPACE)
    monkeypatch.setenv("ARCHON_TRAINER_WORK_DIR", str(tmp_path / "trainer"))
    # Where this is the embedded broker: it does not hold an empty fetch back.
    monkeypatch.setenv("ARCHON_KAFKA_EMPTY_FETCH_WAIT_MAX_MS", "100")
    async with _beside(system, tmp_path) as other:
        audits = await asyncio.gather(_loop(system), _loop(other))
        expected = FeedbackAudit(sent=FEEDBACK, stored=FEEDBACK, used=FEEDBACK, lost=0, double=0)
        assert audits == [expected, expected]
        assert not await other.archon("dlq", "list")
        # The first one is shared: other tests send it what it sets aside.
        assert AGENT not in str(await system.archon("dlq", "list"))
