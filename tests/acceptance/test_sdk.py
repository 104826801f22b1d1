"""The SDKs and `archon quickstart` on a whole system: to a deployed version and a rated answer."""

import asyncio
import json
import time
from itertools import product
from pathlib import Path

import pytest

from archon_contracts.client import AsyncArchon
from contract_tools.sdk.files import TYPESCRIPT
from tests.support.data.tiny_world import THINGS, VERBS, agent
from tests.support.eventually import eventually
from tests.support.infrastructure.python_process import process_of
from tests.support.infrastructure.system import System
from tests.support.node import require_node

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]


async def test_an_agent_is_trained_deployed_and_rated_by_the_sdk(system: System) -> None:
    profile = agent("by-sdk", system.base_model, steps=20)
    states: list[str] = []
    async with AsyncArchon(system.gateway.url, system.runtime.api_key) as archon:
        await archon.agents.configure(profile.pop("agent_id"), **profile)
        job = await archon.train_agent("by-sdk", method="supervised", dataset="first")
        done = await job.wait(progress=lambda job: states.append(job.state), timeout_seconds=200)
        deployment = await archon.models.deployed("by-sdk")

        @archon.agent("by-sdk", version=deployment.version, digest=deployment.digest)
        async def choose(request: str) -> str:
            return "play_song"

        await choose("play the song")
        await asyncio.to_thread(choose.feedback, rating=5)

    assert done.version == deployment.version == "1.0.0"
    assert "training" in states
    await eventually(lambda: system.stored("by-sdk", 1), timeout=30)


async def test_a_training_is_followed_from_node(system: System) -> None:
    node = require_node()
    await system.gateway.post("/v1/agents", agent("by-node", system.base_model, steps=20))
    options = {
        "cwd": TYPESCRIPT,
        "env": {"ARCHON_URL": system.gateway.url, "ARCHON_API_KEY": system.runtime.api_key},
        "stdout": asyncio.subprocess.PIPE,
    }

    async with process_of(node, "test/system.js", "by-node", "first", **options) as process:
        printed, _ = await asyncio.wait_for(process.communicate(), 250)

    assert json.loads(printed) == {"version": "1.0.0", "deployed": "1.0.0"}


async def test_a_table_of_examples_becomes_a_deployed_agent_within_a_minute(
    system: System, tmp_path: Path
) -> None:
    data = tmp_path / "Play or find.csv"
    rows = [
        (f"{verb} the {thing} {number}", f"{verb}_{thing}")
        for verb, thing in product(VERBS, THINGS)
        for number in range(84)
    ]
    data.write_text("text;intent\n" + "".join(f"{text};{label}\n" for text, label in rows))
    options = ("--base-model", system.base_model)
    began = time.monotonic()

    printed = await system.archon_output("quickstart", str(data), *options)

    assert time.monotonic() - began < 60
    assert "deployed play-or-find 1.0.0" in printed
    assert f"{system.gateway.url}/agents/play-or-find" in printed
    lines = [line.strip() for line in printed.splitlines() if "rchon" in line and "(" in line]
    code = "\n".join(["from archon_contracts.client import Archon", *lines[-2:], "archon.close()"])
    await asyncio.to_thread(exec, code.replace("<your API key>", system.runtime.api_key), {})
    await eventually(lambda: system.stored("play-or-find", 1), timeout=30)
