"""A retraction of what weights were trained on: who holds it is listed, and a version without it
follows. The real coordinator and data preparation; the others' answers are made up.
"""

from collections.abc import AsyncIterator
from hashlib import blake2b
from pathlib import Path

import pytest

from archon_contracts.base import Contract
from archon_contracts.commands import EraseItems, PrepareDataset, TrainModel
from archon_contracts.events import DatasetPrepared, FeedbackWithdrawn, JobState
from archon_contracts.values import TrainingMethod
from tests.support.coordinator.coordinator import (
    JobReplies,
    World,
    configure,
    coordinator_world,
    feedback,
    record_of,
    retracted,
)
from tests.support.data.data_preparation import RunningDataPrep
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings
from tests.support.messaging.messages import message_of

ITEMS = 20
NEWEST = "SELECT job_id FROM jobs ORDER BY created_at DESC LIMIT 1"


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with coordinator_world(database_url, tmp_path) as built:
        yield built


@pytest.fixture
async def prep(database_url: str, tmp_path: Path) -> AsyncIterator[RunningDataPrep]:
    settings = probe_settings(database_url, service="data_prep", artifacts_url=f"file://{tmp_path}")
    async with open_service_context(settings) as shared:
        yield RunningDataPrep(shared)


async def lead_to_the_end(world: World, prep: RunningDataPrep, version: str) -> DatasetPrepared:
    """The newest job's version is trained on a real dataset, and deployed."""
    replies = JobReplies(await world.value(NEWEST))
    await world.deliver(replies.plan())
    dataset = (await prep.execute(await world.last(PrepareDataset)))[-1]
    assert isinstance(dataset, DatasetPrepared)
    answers: tuple[Contract, ...] = (replies.trained(), replies.evaluated())
    await world.deliver(dataset, *answers, replies.registered(version))
    world.clock.move(1)
    deployed = {"deployed_at": world.clock.now()}
    await world.deliver(replies.deployed(version).model_copy(update=deployed))
    return dataset


async def inputs_of(prep: RunningDataPrep, dataset: DatasetPrepared, *names: str) -> set[str]:
    """What these parts of a dataset hold."""
    return {line["input"] for name in names for line in await prep.lines(dataset, name)}


async def test_a_version_without_what_was_retracted_follows_by_itself(
    world: World, prep: RunningDataPrep
) -> None:
    await world.deliver(configure(trigger_minimum_feedback=ITEMS))
    texts = [blake2b(str(n).encode(), digest_size=12).hexdigest() for n in range(ITEMS)]
    bodies = [feedback(f"i{n}", input=text, unit_id=f"u{n}") for n, text in enumerate(texts)]
    await world.consume([record_of(body, offset=n) for n, body in enumerate(bodies)])
    first = await lead_to_the_end(world, prep, "1.0.0")
    # What is remembered is what was trained on.
    learnt = await inputs_of(prep, first, "train.jsonl")
    chosen = next(n for n, text in enumerate(texts) if text in learnt)

    await world.consume([record_of(retracted(f"i{chosen}"), offset=ITEMS)])
    erasure = message_of(await world.last(EraseItems))
    await prep.shared.inbox.run_once(erasure, prep.service.erase_items)
    event = await world.last(FeedbackWithdrawn)
    dataset = await lead_to_the_end(world, prep, "1.0.1")

    assert (event.affected_versions, event.deployed) == ({"1.0.0": 1}, "1.0.0")
    held = await inputs_of(prep, dataset, "train.jsonl", "validation.jsonl", "test.jsonl")
    assert held == learnt - {texts[chosen]}
    trained = await world.last(TrainModel)
    assert (trained.method, trained.warm_start) == (TrainingMethod.SUPERVISED, None)
    states = await world.fetch("SELECT state FROM jobs")
    assert [row["state"] for row in states] == [JobState.COMPLETED] * 2
    # The new version is not among those that hold it, so nothing more is begun.
    assert (await world.last(FeedbackWithdrawn)).affected_versions == {"1.0.0": 1}
