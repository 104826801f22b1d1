"""Trainings on a real database, with real child processes that learn next to nothing."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
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
from shared.process.service_context import ServiceContext
from tests.support.eventually import eventually
from tests.support.infrastructure.python_process import python_process
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings
from tests.support.messaging.messages import message_of
from tests.support.messaging.stored import events_of, states_of, until_over
from tests.support.messaging.working import working
from tests.support.training.tampering import flip_a_bit
from tests.support.training.trainer import TrainerHarness, cancel, labels, train


class TrainingEnvironment:
    """A trainer's database, artifacts and folders; trainers come and go."""

    def __init__(self, shared: ServiceContext, folder: Path, dataset: ArtifactRef) -> None:
        self.shared = shared
        self.folder = folder
        self.dataset = dataset

    def trainer(self, entry: str = "learn") -> TrainerHarness:
        return TrainerHarness(self.shared, self.folder / "work", entry)

    async def handle(self, trainer: TrainerHarness, body: Contract) -> None:
        """Handle a command as the router would."""
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
async def environment(database_url: str, tmp_path: Path) -> AsyncIterator[TrainingEnvironment]:
    settings = probe_settings(
        database_url,
        service="trainer",
        artifacts_url=f"file://{tmp_path}/artifacts",
        lease_seconds=1.5,
    )
    async with open_service_context(settings) as shared:
        dataset = await shared.artifacts.publish_files({"train.jsonl": b'{"id": 1}\n'})
        yield TrainingEnvironment(shared, tmp_path, dataset)


async def test_a_training_publishes_events_from_first_step_to_model(
    environment: TrainingEnvironment,
) -> None:
    trainer = environment.trainer()
    await environment.handle(trainer, train(environment.dataset, steps=2))

    async with working(trainer.worker):
        await environment.until_over()

    events = await environment.events()
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
    weights = orjson.loads(await environment.shared.artifacts.read(completed.model, "weights.json"))
    assert weights == {"steps": 2, "seed": 5}
    assert completed.metrics == {"loss": 0.25}


async def test_a_training_without_a_step_fails(environment: TrainingEnvironment) -> None:
    trainer = environment.trainer("learn_nothing")
    await environment.handle(trainer, train(environment.dataset))

    async with working(trainer.worker):
        await environment.until_over()

    (failed,) = await environment.events()
    assert isinstance(failed, TrainingFailed)
    assert failed.error_type == "NoOptimizerSteps"
    assert not failed.retryable


async def test_a_childs_error_message_is_published(environment: TrainingEnvironment) -> None:
    trainer = environment.trainer("refuse")
    await environment.handle(trainer, train(environment.dataset))

    async with working(trainer.worker):
        await environment.until_over()

    (failed,) = await environment.events()
    assert isinstance(failed, TrainingFailed)
    assert failed.reason == "the loss is not finite at step 3; lower the learning rate"
    assert (failed.error_type, failed.retryable) == ("ValueError", False)


async def test_a_missing_dataset_is_a_permanent_failure(environment: TrainingEnvironment) -> None:
    trainer = environment.trainer()
    missing = ArtifactRef(uri="file:///nowhere", digest="0" * 64)
    await environment.handle(trainer, train(missing))

    async with working(trainer.worker):
        await environment.until_over()

    (failed,) = await environment.events()
    assert isinstance(failed, TrainingFailed)
    assert (failed.error_type, failed.retryable) == ("ArtifactMissing", False)


@pytest.mark.parametrize("tampered", ["dataset", "parent"])
async def test_what_was_tampered_with_is_not_trained_on(
    environment: TrainingEnvironment, tampered: str
) -> None:
    parent = await environment.shared.artifacts.publish_files({"model.safetensors": b"weights"})
    command = train(environment.dataset).model_copy(
        update={"warm_start": ModelRef(version="1.0.0", artifact=parent)}
    )
    victim = {
        "dataset": (environment.dataset, "train.jsonl"),
        "parent": (parent, "model.safetensors"),
    }
    flip_a_bit(*victim[tampered])
    trainer = environment.trainer()
    await environment.handle(trainer, command)

    async with working(trainer.worker):
        await environment.until_over()

    (failed,) = await environment.events()
    assert isinstance(failed, TrainingFailed)
    assert (failed.error_type, failed.retryable) == ("ArtifactCorrupt", False)


async def test_a_child_that_dies_is_run_again_from_its_checkpoint(
    environment: TrainingEnvironment,
) -> None:
    trainer = environment.trainer("die_after_each_step")
    await environment.handle(trainer, train(environment.dataset, steps=2))

    async with working(trainer.worker):
        await environment.until_over()

    completed = (await environment.events())[-1]
    assert isinstance(completed, TrainingCompleted)
    assert await states_of(environment.shared.database) == ["done"]


async def test_a_child_that_always_dies_fails_in_a_way_that_may_pass(
    environment: TrainingEnvironment,
) -> None:
    trainer = environment.trainer("die_after_each_step")
    await environment.handle(trainer, train(environment.dataset, steps=99))

    async with working(trainer.worker):
        await environment.until_over()

    (failed,) = await environment.events()
    assert isinstance(failed, TrainingFailed)
    assert (failed.error_type, failed.retryable) == ("ChildCrashed", True)


async def test_a_cancelled_training_publishes_nothing_more(
    environment: TrainingEnvironment,
) -> None:
    trainer = environment.trainer("pause_after_two_steps")
    command = train(environment.dataset, steps=4)
    await environment.handle(trainer, command)

    async with working(trainer.worker):
        await _until_checkpoint(environment, 2)
        await environment.handle(trainer, cancel(command))
        await eventually(lambda: trainer.capacity.report().busy == 0, timeout=15)

    assert await states_of(environment.shared.database) == ["cancelled"]
    assert TrainingCompleted not in {type(event) for event in await environment.events()}


async def test_a_newer_attempt_ends_the_older_one(environment: TrainingEnvironment) -> None:
    trainer = environment.trainer("pause_after_two_steps")
    command = train(environment.dataset, steps=1)
    await environment.handle(trainer, command)

    async with working(trainer.worker):
        await _until_checkpoint(environment, 2)
        newer = environment.trainer("learn")
        await environment.handle(newer, command.model_copy(update={"attempt": 2}))
        async with working(newer.worker):
            await environment.until_over(count=2)

    completed = [e for e in await environment.events() if isinstance(e, TrainingCompleted)]
    assert [event.attempt for event in completed] == [2]


async def test_a_worker_that_lost_its_lease_can_write_nothing(
    environment: TrainingEnvironment,
) -> None:
    trainer = environment.trainer()
    await environment.handle(trainer, train(environment.dataset))
    stale = await environment.shared.work.lease(["train"], "stopped for too long")
    assert stale is not None
    result = await trainer.handler.run(stale)
    async with environment.shared.database.transaction() as tx:
        await tx.execute("UPDATE work SET lease_until = now() - interval '1 second'")
    assert await environment.shared.work.lease(["train"], "somebody else") is not None

    with pytest.raises(LeaseLost):
        async with environment.shared.work.guarded(stale) as tx:
            await trainer.handler.complete(tx, stale, result)
    assert TrainingCompleted not in {type(event) for event in await environment.events()}


async def test_a_trainer_killed_in_the_middle_is_resumed_by_the_next_one(
    environment: TrainingEnvironment,
) -> None:
    trainer = environment.trainer("pause_after_two_steps")
    await environment.handle(trainer, train(environment.dataset, steps=5))
    async with _trainer_process(environment, "pause_after_two_steps") as process:
        await _until_checkpoint(environment, 2)

        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
    async with working(trainer.worker):
        await environment.until_over()

    events = await environment.events()
    starts = [e.resumed_from_step for e in events if isinstance(e, TrainingStarted)]
    assert starts == [0, 2]
    saved = [e.step for e in events if isinstance(e, CheckpointSaved)]
    assert saved == [1, 2, 3, 4, 5]
    steps = [p.step for e in events if isinstance(e, MetricsRecorded) for p in e.points]
    assert steps == [1, 2, 3, 4, 5]
    assert labels(events).count("TrainingCompleted") == 1


async def test_folders_of_jobs_that_are_over_are_removed(environment: TrainingEnvironment) -> None:
    trainer = environment.trainer()
    over, waiting = train(environment.dataset), train(environment.dataset)
    await environment.handle(trainer, over)
    async with working(trainer.worker):
        await environment.until_over()
    await trainer.folders.make(waiting, UUID(int=1))
    await environment.handle(trainer, waiting)

    async with environment.shared.database.across_tenants() as tx:
        removed = await trainer.folders.remove_all_but(await trainer.store.list_open_jobs(tx))

    assert removed == 1
    assert [folder.name for folder in (environment.folder / "work").iterdir()] == [
        str(waiting.job_id)
    ]


async def test_an_attempt_is_accepted_once_and_never_after_a_newer_one(
    environment: TrainingEnvironment,
) -> None:
    store = environment.trainer().store
    second = train(environment.dataset, attempt=2)
    first = second.model_copy(update={"attempt": 1})

    async with environment.shared.database.transaction("default") as tx:
        accepted = [await store.accept_attempt(tx, command) for command in (second, second, first)]
        await store.end_attempt(tx, second.job_id, 2, TrainingState.COMPLETED)
        cancelled = await store.cancel_attempt(tx, cancel(second))

    assert accepted == [True, False, False]
    assert not cancelled


async def test_an_attempt_cancelled_before_it_came_is_never_accepted(
    environment: TrainingEnvironment,
) -> None:
    store = environment.trainer().store
    command = train(environment.dataset, attempt=2)

    async with environment.shared.database.transaction("default") as tx:
        await store.cancel_attempt(tx, cancel(command))
        assert not await store.accept_attempt(tx, command)
        assert await store.accept_attempt(tx, command.model_copy(update={"attempt": 3}))


async def _until_checkpoint(environment: TrainingEnvironment, step: int) -> None:
    async def saved() -> bool:
        events = await environment.events()
        return any(isinstance(event, CheckpointSaved) and event.step == step for event in events)

    await eventually(saved, timeout=30)


def _trainer_process(
    environment: TrainingEnvironment, entry: str
) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    return python_process(
        "-m",
        "tests.support.training.trainer_process",
        environment.shared.database.dsn,
        str(environment.folder / "artifacts"),
        str(environment.folder / "work"),
        entry,
    )
