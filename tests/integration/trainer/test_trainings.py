"""Trainings on a real database, with real child processes that learn next to nothing."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import orjson
import pytest

from archon_contracts.base import Contract
from archon_contracts.events import (
    CheckpointSaved,
    MetricsRecorded,
    TrainingCompleted,
    TrainingFailed,
    TrainingStarted,
)
from archon_contracts.values import ArtifactRef, ModelRef
from services.trainer.domain import TrainingState
from shared.errors import LeaseLost
from shared.process.service_context import Foundation
from tests.support.eventually import eventually
from tests.support.infrastructure.service_contexts import open_foundation, probe_settings
from tests.support.messaging.messages import message_of
from tests.support.messaging.stored import events_of, states_of, until_over
from tests.support.messaging.working import working
from tests.support.training.tampering import flip_a_bit
from tests.support.training.trainer import Trainer, cancel, labels, train


class House:
    """A trainer's database, artifacts and folders; trainers come and go."""

    def __init__(self, shared: Foundation, folder: Path, dataset: ArtifactRef) -> None:
        self.shared = shared
        self.folder = folder
        self.dataset = dataset

    def trainer(self, entry: str = "learn") -> Trainer:
        return Trainer(self.shared, self.folder / "work", entry)

    async def take(self, trainer: Trainer, body: Contract) -> None:
        """Handle an order as the router would."""
        use_case = {
            "TrainModel": trainer.service.accept_training,
            "CancelTraining": trainer.service.cancel_training,
        }[type(body).__name__]
        await self.shared.inbox.run_once(message_of(body), use_case)

    async def events(self) -> list[Contract]:
        """Everything in the outbox, in the order in which it will leave."""
        return await events_of(self.shared.database)

    async def until_over(self, count: int = 1) -> None:
        """Wait until that many pieces of work are over."""
        await until_over(self.shared.database, count)


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    settings = probe_settings(
        database_url,
        service="trainer",
        artifacts_url=f"file://{tmp_path}/artifacts",
        lease_seconds=1.5,
    )
    async with open_foundation(settings) as shared:
        dataset = await shared.artifacts.publish_files({"train.jsonl": b'{"id": 1}\n'})
        yield House(shared, tmp_path, dataset)


async def test_a_training_is_told_from_its_first_step_to_its_model(house: House) -> None:
    trainer = house.trainer()
    await house.take(trainer, train(house.dataset, steps=2))

    async with working(trainer.worker):
        await house.until_over()

    events = await house.events()
    assert labels(events) == [
        "TrainingStarted",
        "MetricsRecorded",
        "CheckpointSaved",
        "MetricsRecorded",
        "CheckpointSaved",
        "TrainingCompleted",
    ]
    completed = events[-1]
    assert isinstance(completed, TrainingCompleted)
    weights = orjson.loads(await house.shared.artifacts.read(completed.model, "weights.json"))
    assert weights == {"steps": 2, "seed": 5}
    assert completed.metrics == {"loss": 0.25}


async def test_a_training_without_a_step_fails(house: House) -> None:
    trainer = house.trainer("learn_nothing")
    await house.take(trainer, train(house.dataset))

    async with working(trainer.worker):
        await house.until_over()

    (failed,) = await house.events()
    assert isinstance(failed, TrainingFailed)
    assert failed.error_type == "NothingLearned"
    assert not failed.retryable


async def test_what_a_child_cannot_do_is_told_in_its_words(house: House) -> None:
    trainer = house.trainer("refuse")
    await house.take(trainer, train(house.dataset))

    async with working(trainer.worker):
        await house.until_over()

    (failed,) = await house.events()
    assert isinstance(failed, TrainingFailed)
    assert failed.reason == "the loss is not finite at step 3; lower the learning rate"
    assert (failed.error_type, failed.retryable) == ("ValueError", False)


async def test_a_missing_dataset_is_a_permanent_failure(house: House) -> None:
    trainer = house.trainer()
    missing = ArtifactRef(uri="file:///nowhere", digest="0" * 64)
    await house.take(trainer, train(missing))

    async with working(trainer.worker):
        await house.until_over()

    (failed,) = await house.events()
    assert isinstance(failed, TrainingFailed)
    assert (failed.error_type, failed.retryable) == ("ArtifactMissing", False)


@pytest.mark.parametrize("tampered", ["dataset", "parent"])
async def test_what_was_tampered_with_is_not_trained_on(house: House, tampered: str) -> None:
    parent = await house.shared.artifacts.publish_files({"model.safetensors": b"weights"})
    order = train(house.dataset).model_copy(
        update={"parent": ModelRef(version="1.0.0", artifact=parent)}
    )
    victim = {"dataset": (house.dataset, "train.jsonl"), "parent": (parent, "model.safetensors")}
    flip_a_bit(*victim[tampered])
    trainer = house.trainer()
    await house.take(trainer, order)

    async with working(trainer.worker):
        await house.until_over()

    (failed,) = await house.events()
    assert isinstance(failed, TrainingFailed)
    assert (failed.error_type, failed.retryable) == ("ArtifactCorrupt", False)


async def test_a_child_that_dies_is_run_again_from_its_checkpoint(house: House) -> None:
    trainer = house.trainer("die_after_each_step")
    await house.take(trainer, train(house.dataset, steps=2))

    async with working(trainer.worker):
        await house.until_over()

    completed = (await house.events())[-1]
    assert isinstance(completed, TrainingCompleted)
    assert await states_of(house.shared.database) == ["done"]


async def test_a_child_that_always_dies_fails_in_a_way_that_may_pass(house: House) -> None:
    trainer = house.trainer("die_after_each_step")
    await house.take(trainer, train(house.dataset, steps=99))

    async with working(trainer.worker):
        await house.until_over()

    (failed,) = await house.events()
    assert isinstance(failed, TrainingFailed)
    assert (failed.error_type, failed.retryable) == ("ChildCrashed", True)


async def test_a_cancelled_training_stops_and_says_nothing_more(house: House) -> None:
    trainer = house.trainer("pause_after_two_steps")
    order = train(house.dataset, steps=4)
    await house.take(trainer, order)

    async with working(trainer.worker):
        await _until_checkpoint(house, 2)
        await house.take(trainer, cancel(order))
        await eventually(lambda: trainer.capacity.report().busy == 0, timeout=15)

    assert await states_of(house.shared.database) == ["cancelled"]
    assert TrainingCompleted not in {type(event) for event in await house.events()}


async def test_a_newer_attempt_ends_the_older_one(house: House) -> None:
    trainer = house.trainer("pause_after_two_steps")
    order = train(house.dataset, steps=1)
    await house.take(trainer, order)

    async with working(trainer.worker):
        await _until_checkpoint(house, 2)
        newer = house.trainer("learn")
        await house.take(newer, order.model_copy(update={"attempt": 2}))
        async with working(newer.worker):
            await house.until_over(count=2)

    completed = [e for e in await house.events() if isinstance(e, TrainingCompleted)]
    assert [event.attempt for event in completed] == [2]


async def test_a_worker_that_lost_its_lease_can_write_nothing(house: House) -> None:
    trainer = house.trainer()
    await house.take(trainer, train(house.dataset))
    stale = await house.shared.work.lease(["train"], "stopped for too long")
    assert stale is not None
    result = await trainer.handler.run(stale)
    async with house.shared.database.transaction() as tx:
        await tx.execute("UPDATE work SET lease_until = now() - interval '1 second'")
    assert await house.shared.work.lease(["train"], "somebody else") is not None

    with pytest.raises(LeaseLost):
        async with house.shared.work.guarded(stale) as tx:
            await trainer.handler.complete(tx, stale, result)
    assert TrainingCompleted not in {type(event) for event in await house.events()}


async def test_a_trainer_killed_in_the_middle_is_resumed_by_the_next_one(house: House) -> None:
    trainer = house.trainer("pause_after_two_steps")
    await house.take(trainer, train(house.dataset, steps=5))
    process = await _trainer_process(house, "pause_after_two_steps")
    await _until_checkpoint(house, 2)

    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    async with working(trainer.worker):
        await house.until_over()

    events = await house.events()
    starts = [e.resumed_from_step for e in events if isinstance(e, TrainingStarted)]
    assert starts == [0, 2]
    saved = [e.step for e in events if isinstance(e, CheckpointSaved)]
    assert saved == [1, 2, 3, 4, 5]
    steps = [p.step for e in events if isinstance(e, MetricsRecorded) for p in e.points]
    assert steps == [1, 2, 3, 4, 5]
    assert labels(events).count("TrainingCompleted") == 1


async def test_folders_of_jobs_that_are_over_are_removed(house: House) -> None:
    trainer = house.trainer()
    over, waiting = train(house.dataset), train(house.dataset)
    await house.take(trainer, over)
    async with working(trainer.worker):
        await house.until_over()
    await trainer.folders.make(waiting, UUID(int=1))
    await house.take(trainer, waiting)

    async with house.shared.database.across_tenants() as tx:
        removed = await trainer.folders.remove_all_but(await trainer.store.list_open_jobs(tx))

    assert removed == 1
    assert [folder.name for folder in (house.folder / "work").iterdir()] == [str(waiting.job_id)]


async def test_an_attempt_is_accepted_once_and_never_after_a_newer_one(house: House) -> None:
    store = house.trainer().store
    second = train(house.dataset, attempt=2)
    first = second.model_copy(update={"attempt": 1})

    async with house.shared.database.transaction("default") as tx:
        accepted = [await store.accept_attempt(tx, order) for order in (second, second, first)]
        await store.end_attempt(tx, second.job_id, 2, TrainingState.COMPLETED)
        cancelled = await store.cancel_attempt(tx, cancel(second))

    assert accepted == [True, False, False]
    assert not cancelled


async def test_an_attempt_cancelled_before_it_came_is_never_accepted(house: House) -> None:
    store = house.trainer().store
    order = train(house.dataset, attempt=2)

    async with house.shared.database.transaction("default") as tx:
        await store.cancel_attempt(tx, cancel(order))
        assert not await store.accept_attempt(tx, order)
        assert await store.accept_attempt(tx, order.model_copy(update={"attempt": 3}))


async def _until_checkpoint(house: House, step: int) -> None:
    async def saved() -> bool:
        events = await house.events()
        return any(isinstance(event, CheckpointSaved) and event.step == step for event in events)

    await eventually(saved, timeout=30)


async def _trainer_process(house: House, entry: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.training.trainer_process",
        house.shared.database.dsn,
        str(house.folder / "artifacts"),
        str(house.folder / "work"),
        entry,
    )
