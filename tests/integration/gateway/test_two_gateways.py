"""Two gateways of one system share the events: each reads some partitions only."""

import asyncio
from typing import Any

from archon_contracts.events import AgentConfigured
from archon_contracts.values import AgentProfile
from tests.support.gateway.gateway import Serve, ServedGateway

AGENTS = [f"shared-{number}" for number in range(12)]


async def _configure(gateway: ServedGateway, agent_id: str) -> tuple[int, Any]:
    profile = _profile(agent_id)
    body = {
        "agent_id": agent_id,
        "kind": profile.kind,
        "base_model": profile.base_model,
        "labels": list(profile.labels),
    }
    answer = await gateway.http.post("/v1/agents", json=body)
    return answer.status_code, answer.json().get("configured_at")


def _profile(agent_id: str) -> AgentProfile:
    return AgentProfile(
        agent_id=agent_id, kind="classifier", base_model="pypi:m", labels=("a", "b")
    )


async def _confirm(gateway: ServedGateway) -> None:
    """Answer as the coordinator does, once the requests wait."""
    await asyncio.sleep(0.5)
    events = [AgentConfigured(agent_id=each, profile=_profile(each)) for each in AGENTS]
    await gateway.publish(*events)


async def test_an_agent_is_confirmed_whichever_gateway_reads_the_confirmation(
    serve: Serve,
) -> None:
    wait = {"gateway_agent_wait_seconds": 10.0}
    async with serve(**wait) as one, serve(**wait) as other:
        # By turns: whatever partitions each of them has, some confirmations go to the other one.
        asked = [_configure((one, other)[n % 2], name) for n, name in enumerate(AGENTS)]
        *answers, _ = await asyncio.gather(*asked, _confirm(one))

    assert [status for status, _ in answers] == [201] * len(AGENTS)
    assert all(configured_at for _, configured_at in answers)
