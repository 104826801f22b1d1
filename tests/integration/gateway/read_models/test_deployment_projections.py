"""Events become the read models of deployments."""

from datetime import timedelta

import pytest

from archon_contracts.events import (
    AgentConfiguration,
    ModelArchived,
    ModelRolledBack,
)
from archon_contracts.identifiers import new_id
from archon_contracts.rollouts.assignment import Assignment
from archon_contracts.rollouts.experiment import Experiment
from archon_contracts.rules.rollout_policy import RolloutMode
from archon_contracts.values import AgentKind, ArtifactRef, ModelRef
from tests.support.eventually import eventually
from tests.support.gateway.events import (
    NOON,
    WEIGHTS,
    deployed,
    registered,
)
from tests.support.gateway.gateway import ServedGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_rollback_from_the_first_version_has_nothing_to_return_to(
    gateway: ServedGateway, name: str
) -> None:
    agent = await gateway.configure_agent(name)
    first = ModelRef(version="1.0.0", artifact=WEIGHTS)
    times = [NOON + timedelta(minutes=minute) for minute in range(3)]
    weights = ArtifactRef(uri="file:///later", digest="d" * 64)
    second = ModelRef(version="1.1.0", artifact=weights)
    later = deployed(agent, "1.1.0").model_copy(update={"deployed_at": times[1], "model": second})
    back = ModelRolledBack(
        revision=1,
        actor="somebody",
        agent_id=agent,
        model=first,
        from_version="1.1.0",
        reason="odd",
        rolled_back_at=times[2],
    )
    path = f"/v1/agents/{agent}/rollback"
    await gateway.publish(deployed(agent, "1.0.0"), later)

    async def shows(version: str) -> None:
        assert (await gateway.get(f"/v1/agents/{agent}"))["deployed_version"] == version

    await eventually(lambda: shows("1.1.0"))
    possible = await gateway.http.post(path, json={"reason": "odd"})
    await gateway.publish(back)
    await eventually(lambda: shows("1.0.0"))
    refused = await gateway.http.post(path, json={"reason": "odd"})
    named = await gateway.http.post(path, json={"reason": "odd", "to_version": "1.1.0"})

    assert (possible.status_code, refused.status_code, named.status_code) == (202, 409, 202)
    assert "was deployed before 1.0.0" in refused.json()["detail"]


async def test_who_deployed_what_is_known_for_every_moment(
    gateway: ServedGateway, name: str
) -> None:
    agent = await gateway.configure_agent(name)
    times = [NOON + timedelta(minutes=minute) for minute in range(3)]
    first = deployed(agent, "1.0.0")
    second = deployed(agent, "1.1.0").model_copy(
        update={"deployed_at": times[1], "previous_version": "1.0.0", "actor": "ann (key 2)"}
    )
    back = ModelRolledBack(
        agent_id=agent,
        model=first.model,
        from_version="1.1.0",
        revision=3,
        actor="ben (key 3)",
        reason="odd answers",
        rolled_back_at=times[2],
    )
    # An event that comes again changes nothing.
    await gateway.publish(first, second, second, back)

    async def is_whole() -> None:
        found = (await gateway.get(f"/v1/agents/{agent}/deployments"))["items"]
        assert [(each["version"], each["action"], each["actor"]) for each in found] == [
            ("1.0.0", "rollback", "ben (key 3)"),
            ("1.1.0", "deploy", "ann (key 2)"),
            ("1.0.0", "deploy", "somebody"),
        ]

    await eventually(is_whole)
    path = f"/v1/agents/{agent}/deployed"
    moments = [times[0], times[1] - timedelta(seconds=1), times[1], times[2]]
    found = [await gateway.get(path, at=each.isoformat()) for each in moments]
    before = await gateway.http.get(path, params={"at": (NOON - timedelta(days=1)).isoformat()})
    vague = await gateway.http.get(path, params={"at": "2026-11-30T09:00:00"})

    assert [each["version"] for each in found] == ["1.0.0", "1.0.0", "1.1.0", "1.0.0"]
    assert (found[2]["previous_version"], found[3]["previous_version"]) == ("1.0.0", "1.1.0")
    assert await gateway.get(path) == found[3]
    assert before.status_code == 404
    assert "had no deployed version at" in before.json()["detail"]
    assert vague.status_code == 422
    assert vague.json()["errors"][0]["field"] == "query.at"


async def test_the_gateway_assigns_units_as_the_configuration_does(
    gateway: ServedGateway, name: str
) -> None:
    agent = await gateway.configure_agent(name)
    control = ModelRef(version="1.0.0", artifact=WEIGHTS)
    running = Experiment(
        experiment_id=new_id(),
        mode=RolloutMode.AB_TEST,
        salt="salt",
        control=control,
        treatment=control.model_copy(update={"version": "1.1.0"}),
        treatment_share=0.5,
    )
    fields = {"agent_id": agent, "kind": AgentKind.CLASSIFIER, "reason": "", "effective_at": NOON}
    newer = AgentConfiguration(**fields, model=control, revision=2, experiment=running)
    await gateway.publish(newer, AgentConfiguration(**fields, model=control, revision=1))
    path = f"/v1/agents/{agent}/assignment"

    async def is_known() -> None:
        assert (await gateway.http.get(path, params={"unit_id": "u"})).status_code == 200

    await eventually(is_known)
    for number in range(8):
        found = await gateway.get(path, unit_id=f"user-{number}")
        assert Assignment.model_validate(found) == newer.assign(unit_id=f"user-{number}")
    unnamed = await gateway.http.get(path)
    assert unnamed.status_code == 422
    assert unnamed.json()["errors"][0]["field"] == "unit_id"


async def test_one_version_is_deployed_through_deployments_and_rollbacks(
    gateway: ServedGateway, name: str
) -> None:
    agent, job = await gateway.configure_agent(name), new_id()
    first = ModelRef(version="1.0.0", artifact=WEIGHTS)
    await gateway.publish(
        registered(agent, job, "1.0.0"),
        deployed(agent, "1.0.0"),
        registered(agent, new_id(), "1.1.0"),
        deployed(agent, "1.1.0"),
        ModelRolledBack(
            revision=1,
            actor="somebody",
            agent_id=agent,
            model=first,
            from_version="1.1.0",
            reason="odd",
            rolled_back_at=NOON,
        ),
        ModelArchived(agent_id=agent, version_archived="1.1.0", reason="worse"),
    )

    async def shown() -> None:
        found = (await gateway.get(f"/v1/agents/{agent}/models"))["items"]
        assert [(m["version"], m["status"]) for m in found] == [
            ("1.1.0", "archived"),
            ("1.0.0", "deployed"),
        ]

    await eventually(shown)
    assert (await gateway.get(f"/v1/agents/{agent}"))["deployed_version"] == "1.0.0"
    model = await gateway.get(f"/v1/agents/{agent}/models/1.0.0")
    assert model["lineage"]["job_id"] == str(job)
    assert model["metrics"]["accuracy"]["value"] == 0.75


async def test_a_rollback_of_an_agent_without_a_deployed_version_is_a_conflict(
    gateway: ServedGateway, name: str
) -> None:
    agent = await gateway.configure_agent(name)

    response = await gateway.http.post(f"/v1/agents/{agent}/rollback", json={"reason": "odd"})

    assert response.status_code == 409
    assert response.headers["content-type"] == "application/problem+json"
    assert (
        response.json()["detail"] == f"no version of agent {agent} is deployed; deploy one instead"
    )
