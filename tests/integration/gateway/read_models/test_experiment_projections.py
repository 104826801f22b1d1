"""Events become the read model of experiments."""

import asyncpg
import pytest

from archon_contracts.events import ExperimentConcluded
from archon_contracts.identifiers import new_id
from tests.support.eventually import eventually
from tests.support.gateway.experiments import LOOKS, events_of_experiment
from tests.support.gateway.gateway import ServedGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_experiment_is_shown_with_its_looks_and_its_end(
    gateway: ServedGateway, name: str
) -> None:
    agent, identity = await gateway.configure_agent(name), new_id()
    events = events_of_experiment(agent, identity)
    await gateway.publish(*events, *events)  # each is read twice

    async def is_over() -> None:
        assert (await gateway.get(f"/v1/experiments/{identity}"))["state"] == "promoted"

    await eventually(is_over)
    found = await gateway.get(f"/v1/experiments/{identity}")

    assert (found["proportion"], found["step"], found["winner"]) == (0.5, 2, "1.1.0")
    assert found["stop_reason"].startswith("100 scored answers")
    assert found["difference"]["value"] == 0.09  # of the conclusion, without the stop's luck
    assert [arm["model"]["version"] for arm in found["arms"]] == ["1.0.0", "1.1.0"]
    assert len(found["measures"]) == LOOKS
    times = [each["measured_at"] for each in found["measures"]]
    assert times == sorted(times)
    assert found["measures"][-1]["harm_log_e_value"] == pytest.approx(-0.2 * LOOKS)
    assert "the rates differ (p = 0.0001)" in found["selection"]
    assert (
        "25.0 % of 2,400 answers of 1.0.0, 50.0 % of 1,200 answers of 1.1.0" in found["selection"]
    )


async def test_lists_are_filtered_by_agent_and_state(gateway: ServedGateway, name: str) -> None:
    agent, over, running = await gateway.configure_agent(name), new_id(), new_id()
    await gateway.publish(
        *events_of_experiment(agent, over), *events_of_experiment(agent, running, ends=False)
    )

    async def listed(state: str) -> list[str]:
        found = await gateway.get("/v1/experiments", agent_id=agent, state=state)
        return [each["experiment_id"] for each in found["items"]]

    async def are_there() -> None:
        assert await listed("promoted") == [str(over)]
        assert await listed("running") == [str(running)]

    await eventually(are_there)
    assert await listed("kept") == []
    refused = await gateway.http.get("/v1/experiments", params={"state": "won"})
    assert (refused.status_code, "state" in refused.text) == (422, True)


async def test_an_end_that_a_newer_release_names_is_an_end(
    gateway: ServedGateway, name: str
) -> None:
    agent, identity = await gateway.configure_agent(name), new_id()
    began = events_of_experiment(agent, identity, ends=False)
    end = ExperimentConcluded(
        agent_id=agent, experiment_id=identity, winner="1.0.0", reason="new", outcome="even"
    )
    await gateway.publish(*began, end)

    async def is_over() -> None:
        assert (await gateway.get(f"/v1/experiments/{identity}"))["stop_reason"] == "new"

    await eventually(is_over)
    found = await gateway.get(f"/v1/experiments/{identity}")
    assert (found["state"], len(found["arms"])) == ("kept", 2)


async def test_lists_and_looks_are_read_by_their_indexes(database_url: str) -> None:
    connection = await asyncpg.connect(database_url, server_settings={"search_path": "gateway"})
    try:
        await connection.execute(FILL)
        plans = [
            "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {query}"))
            for query in (NEWEST, OF_AGENT, NEWEST_LOOKS)
        ]
    finally:
        await connection.close()

    assert [plan for plan in plans if "Seq Scan" in plan] == []


FILL = """
    INSERT INTO experiments (tenant_id, experiment_id, agent_id, mode, state, control, treatment,
                             proportion, started_at)
    SELECT 'plans', gen_random_uuid(), 'a' || n % 100, 'canary', 'running', '{}', '{}', 0.5,
           now() - n * interval '1 min' FROM generate_series(1, 5000) n;
    INSERT INTO experiment_measures (tenant_id, experiment_id, measured_at, body)
    SELECT tenant_id, experiment_id, now() - n * interval '1 s', '{}'
    FROM experiments, generate_series(1, 4) n WHERE tenant_id = 'plans';
    ANALYZE experiments; ANALYZE experiment_measures;
"""
NEWEST = (
    "SELECT experiment_id FROM experiments WHERE tenant_id = 'plans' "
    "ORDER BY started_at DESC, experiment_id LIMIT 100"
)
OF_AGENT = (
    "SELECT experiment_id FROM experiments WHERE tenant_id = 'plans' AND agent_id = 'a7' "
    "ORDER BY started_at DESC, experiment_id LIMIT 100"
)
NEWEST_LOOKS = (
    "SELECT body FROM experiment_measures WHERE tenant_id = 'plans' "
    "AND experiment_id = '00000000-0000-0000-0000-000000000000' "
    "ORDER BY measured_at DESC LIMIT 500"
)
