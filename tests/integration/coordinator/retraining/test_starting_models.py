"""The version that a transfer starts from, as its commands and its lineage name it."""

from typing import Any

import pytest

from archon_contracts.commands import RegisterModel, TrainModel
from archon_contracts.events import JobFailed, ModelDeployed, TrainingRequested
from archon_contracts.identifiers import new_id
from archon_contracts.values import AgentKind, ModelRef, TrainingMethod
from tests.support.coordinator.coordinator import (
    JobReplies,
    World,
    artifact,
    configure,
    given_dataset,
)
from tests.support.messaging.messages import NOON

SOURCE = ModelRef(version="2.0.0", artifact=artifact("source"))
OWN = ModelRef(version="1.0.0", artifact=artifact("own"))


def deployed(agent_id: str, model: ModelRef) -> ModelDeployed:
    """A version that was imported and deployed by hand."""
    return ModelDeployed(
        revision=1, actor="x", agent_id=agent_id, model=model, reason="r", deployed_at=NOON
    )


async def transfer(world: World, **fields: Any) -> TrainingRequested:
    """A request for a transfer from the agent `teacher`."""
    request = await given_dataset(world)
    named = {"job_id": new_id(), "method": TrainingMethod.TRANSFER, "source_agent": "teacher"}
    return request.model_copy(update=named | fields)


@pytest.mark.parametrize("version", [None, "2.0.0"], ids=["deployed", "named"])
async def test_a_transfer_starts_from_the_source_and_its_lineage_names_it(
    world: World, version: str | None
) -> None:
    await world.deliver(configure("teacher"), configure())
    await world.deliver(deployed("teacher", SOURCE), deployed("picker", OWN))
    request = await transfer(world, source_version=version)
    answers = JobReplies(request.job_id)

    await world.deliver(request, answers.plan(), answers.dataset(), answers.trained())
    await world.deliver(answers.evaluated())

    train, register = await world.last(TrainModel), await world.last(RegisterModel)
    assert (train.method, train.source, train.warm_start) == ("transfer", SOURCE, None)
    assert register.parent_version is None
    named = [register.lineage[f"source_{name}"] for name in ("agent", "version", "digest")]
    assert named == ["teacher", "2.0.0", SOURCE.artifact.digest]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"source_agent": "nobody"}, "source_agent nobody is not configured; name another one"),
        ({}, "source_agent teacher has no deployed version; name a source_version"),
        ({"source_version": "9"}, "source_agent teacher has no version 9; see its versions"),
        ({"method": TrainingMethod.SUPERVISED}, "only method transfer starts from another"),
        ({"source_agent": "sorter"}, "source_agent sorter is a classifier and picker is a selec"),
    ],
)
async def test_a_source_that_cannot_be_the_start_fails_the_job(
    world: World, fields: dict[str, Any], reason: str
) -> None:
    sorter = configure("sorter", kind=AgentKind.CLASSIFIER, labels=("a", "b"))
    await world.deliver(configure("teacher"), sorter, configure())

    await world.deliver(await transfer(world, **fields))

    assert (await world.last(JobFailed)).reason.startswith(reason)
