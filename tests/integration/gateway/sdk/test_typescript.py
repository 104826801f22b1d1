"""The specification's examples, as written, in Node against a served gateway."""

import asyncio
import json
from typing import Any

import pytest

from contract_tools.sdk.files import TYPESCRIPT
from tests.support.gateway.events import deployed
from tests.support.gateway.gateway import KEY, ServedGateway
from tests.support.infrastructure.python_process import process_of
from tests.support.node import require_node

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_examples_of_the_specification_run_as_written(gateway: ServedGateway) -> None:
    await gateway.configure_agent("agent-123")
    dataset = {"name": "training-data-v1", "purpose": "training"}
    items = [{"input": "I lost my card", "target": "lost_card"}]
    await gateway.http.post("/v1/datasets", json={**dataset, "items": items})

    found = await run_example(gateway, "agent-123")

    assert found["trainingJob"]["status"] == found["adaptation"]["status"] == "requested"
    assert (found["job"]["method"], found["job"]["dataset"]) == ("supervised", "training-data-v1")
    config = found["job"]["config"]
    assert (config["epochs"], config["batch_size"], config["learning_rate"]) == (10, 32, 0.001)
    assert config["validation_split"] == 0.15
    assert found["syntheticData"]["result"].startswith("/v1/synthetic/")
    assert found["adaptation"]["acceptedFeedback"] == found["sent"]["accepted"] == 1
    assert found["analysis"]["agentId"] == "agent-123"
    assert found["benchmark"] == "no evaluated version of agent is named 'agent-123'"
    assert found["refused"] == "latencyLimitSeconds"
    assert found["event"]["data"]["agent_id"] == "agent-123"


async def run_example(gateway: ServedGateway, agent: str) -> dict[str, Any]:
    """What the example prints; it is sent an event of the agent once it listens."""
    environment = {"ARCHON_URL": str(gateway.http.base_url), "ARCHON_API_KEY": KEY}
    pipe = asyncio.subprocess.PIPE
    options = {"cwd": TYPESCRIPT, "env": environment, "stdout": pipe, "stderr": pipe}
    async with process_of(require_node(), "test/specification.js", **options) as process:
        assert process.stdout is not None
        first = await asyncio.wait_for(process.stdout.readline(), 30)
        if first == b"ready\n":
            await gateway.publish(deployed(agent, "1.0.0"))
        printed, errors = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, errors.decode()
    return dict(json.loads(printed))
