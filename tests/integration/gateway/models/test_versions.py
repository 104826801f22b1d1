"""Versions at the gateway: searched, compared, traced back, archived and protected."""

import pytest
import pytest_asyncio

from archon_contracts.commands import RegisterModel
from archon_contracts.events import (
    JobState,
    ModelArchived,
    ModelProtected,
    ModelRegistered,
)
from archon_contracts.identifiers import new_id
from archon_contracts.topics import REGISTRY_COMMANDS
from archon_contracts.values import ArtifactRef, Estimate, ModelRef
from tests.support.eventually import eventually
from tests.support.gateway.events import changed, deployed
from tests.support.gateway.gateway import ServedGateway
from tests.support.registry import WHOLE_MODEL

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def register(
    gateway: ServedGateway, agent: str, version: str, parent: str | None, accuracy: float
) -> None:
    """A version whose dataset names two feedback events."""
    dataset = await gateway.application.service_context.artifacts.publish_files(
        {"feedback_ids.txt": f"{version}-a\n{version}-b\n".encode()}
    )
    digest = version.replace(".", "") * 32
    artifact = ArtifactRef(uri="file:///weights", digest=digest[:64])
    event = ModelRegistered(
        agent_id=agent,
        job_id=new_id(),
        model_id=new_id(),
        model=ModelRef(version=version, artifact=artifact),
        parent_version=parent,
        dataset_id=new_id(),
        dataset=dataset,
        metrics={"accuracy": Estimate(value=accuracy, low=0, high=1, n=9)},
        kind="classifier",
        lineage={
            "seed": int(version.split(".")[1]),
            "revision": "abc",
            "config": {"epochs": 3},
            "library_versions": {"torch": "2"},
        },
    )
    await gateway.publish(event)


@pytest_asyncio.fixture(loop_scope="module")
async def agent(gateway: ServedGateway, name: str) -> str:
    """An agent with three versions, 1.0.0 deployed, and a candidate in training."""
    await gateway.configure_agent(name)
    await register(gateway, name, "1.0.0", None, 0.5)
    await register(gateway, name, "1.1.0", "1.0.0", 0.7)
    await register(gateway, name, "1.2.0", "1.0.0", 0.9)
    await gateway.publish(deployed(name, "1.0.0"))
    await gateway.publish(changed(new_id(), name, JobState.TRAINING, 1))

    async def is_there() -> bool:
        found = await versions(gateway, name)
        training = await versions(gateway, name, "status=training")
        return (
            len(found) == 3
            and len(training) == 1
            and bool(await versions(gateway, name, "status=deployed"))
        )

    await eventually(is_there)
    return name


async def versions(gateway: ServedGateway, agent: str, *where: str) -> list[str]:
    params = [("where", condition) for condition in where]
    answer = await gateway.http.get(f"/v1/agents/{agent}/models", params=params)
    return [each["version"] for each in answer.json()["items"]]


async def test_versions_are_found_by_status_metric_and_lineage(
    gateway: ServedGateway, agent: str
) -> None:
    assert await versions(gateway, agent, "status=ready") == ["1.2.0", "1.1.0"]
    assert await versions(gateway, agent, "accuracy>=0.6", "accuracy<=0.8") == ["1.1.0"]
    assert await versions(gateway, agent, "recall>=0") == []
    assert await versions(gateway, agent, "seed=2", "revision=abc") == ["1.2.0"]
    assert await versions(gateway, agent, "parent_version=1.0.0") == ["1.2.0", "1.1.0"]
    assert await versions(gateway, agent, "digest=100") == ["1.0.0"]


async def test_a_candidate_in_training_is_a_pre_release_of_the_next_version(
    gateway: ServedGateway, agent: str
) -> None:
    (candidate,) = await versions(gateway, agent, "status=training")

    assert candidate.startswith("1.3.0-candidate.")


async def test_an_unreadable_condition_is_named(gateway: ServedGateway, agent: str) -> None:
    answer = await gateway.http.get(f"/v1/agents/{agent}/models?where=status%3Dlost")

    assert answer.status_code == 422
    assert "training, ready, deployed, archived" in answer.text


async def test_lineage_goes_back_to_feedback_and_the_first_version(
    gateway: ServedGateway, agent: str
) -> None:
    found = await gateway.get(f"/v1/agents/{agent}/models/1.2.0/lineage")

    assert [each["version"] for each in found["ancestors"]] == ["1.2.0", "1.0.0"]
    assert found["feedback_ids"] == ["1.2.0-a", "1.2.0-b"]
    lineage = found["lineage"]
    assert (lineage["seed"], lineage["code_revision"]) == (2, "abc")
    assert (lineage["config"], lineage["environment"]) == ({"epochs": 3}, {"torch": "2"})


async def test_two_versions_are_compared(gateway: ServedGateway, agent: str) -> None:
    found = await gateway.get(f"/v1/agents/{agent}/models/1.1.0/compare/1.2.0")

    assert found["metrics"][0]["difference"] == pytest.approx(0.2)
    assert found["common_ancestor"] == "1.0.0"
    assert {"field": "seed", "first": 1, "second": 2} in found["differences"]
    assert all(not each["field"].startswith("config") for each in found["differences"])


async def test_an_archived_version_is_shown_and_neither_deployed_nor_archived_by_mistake(
    gateway: ServedGateway, agent: str
) -> None:
    await gateway.publish(ModelArchived(agent_id=agent, version_archived="1.1.0", reason="old"))
    await gateway.publish(
        ModelProtected(
            agent_id=agent, model_version="1.2.0", protected=True, reason="audit", actor="ann"
        )
    )

    async def is_archived() -> bool:
        found = await gateway.get(f"/v1/agents/{agent}/models/1.2.0")
        return found.get("protected_reason") == "audit"

    await eventually(is_archived)
    path = f"/v1/agents/{agent}/models"
    refused = [
        await gateway.http.post(f"{path}/{version}/{verb}", json={"reason": "hope"})
        for version, verb in (("1.1.0", "deploy"), ("1.2.0", "archive"), ("1.0.0", "archive"))
    ]
    assert [answer.status_code for answer in refused] == [409, 409, 409]
    assert (await gateway.get(f"{path}/1.1.0"))["status"] == "archived"
    assert await gateway.records(REGISTRY_COMMANDS, agent.encode()) == []


async def test_only_a_model_of_the_store_is_imported(gateway: ServedGateway, name: str) -> None:
    await gateway.configure_agent(name)
    store = gateway.application.service_context.artifacts
    model, dataset = [
        await store.publish_files(files) for files in (WHOLE_MODEL, {"items.jsonl": b"{}"})
    ]
    body = {"source": "elsewhere", "reason": "moved"}

    taken, refused = [
        await gateway.http.post(
            f"/v1/agents/{name}/models", json=body | {"artifact": ref.model_dump()}
        )
        for ref in (model, dataset)
    ]

    assert (taken.status_code, refused.status_code) == (202, 422)
    assert refused.json()["errors"][0]["field"] == "artifact"
    (record,) = await gateway.records(REGISTRY_COMMANDS, name.encode())
    command = RegisterModel.model_validate_json(record.value)
    assert (command.artifact, command.lineage["imported_from"]) == (model, "elsewhere")
