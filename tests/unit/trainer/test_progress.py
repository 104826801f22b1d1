"""Reports of a run as events, through a database that may be away."""

import contextlib
from collections.abc import AsyncIterator

import pytest

from archon_contracts.events import CheckpointSaved, MetricsRecorded, TrainingStarted
from archon_contracts.identifiers import new_id
from services.trainer.progress import TrainingProgress
from shared.errors import DatabaseUnavailable, LeaseLost
from shared.messaging.messages import Cause
from shared.work.queue import Lease
from tests.support.clocks import SetClock
from tests.support.messaging.messages import NOON
from tests.support.messaging.outbox import RecordingOutbox
from tests.support.registry import artifact
from tests.support.training.trainer import train


class UnreliableGuard:
    """Opens transactions unless it has an error to raise."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    @contextlib.asynccontextmanager
    async def guarded(self, _lease: Lease) -> AsyncIterator[object]:
        if self.error:
            raise self.error
        yield object()


def lease(attempt: int = 1) -> Lease:
    return Lease(
        id=new_id(),
        kind="train",
        key="job",
        payload={},
        cause=Cause(CAUSE_ID, "correlation", "00-" + "1" * 32 + "-" + "2" * 16 + "-01"),
        token=new_id(),
        attempt=attempt,
        max_attempts=3,
    )


CAUSE_ID = new_id()
COMMAND = train(artifact("dataset"))


class RunHarness:
    """One lease of a run and what it published."""

    def __init__(self, outbox: RecordingOutbox) -> None:
        self.database, self.outbox, self.clock = UnreliableGuard(), outbox, SetClock(NOON)
        self.progress = TrainingProgress(
            COMMAND, lease(), "w", guard=self.database, outbox=outbox, clock=self.clock
        )

    async def step(self, step: int) -> None:
        await self.progress.report({"event": "metrics", "step": step, "values": {"loss": 0.5}})

    async def start(self, resumed_from: int = 0) -> None:
        started = {"event": "started", "total_steps": 9, "resumed_from_step": resumed_from}
        await self.progress.report(started)
        await self.progress.report({"event": "first_step", "at": NOON.timestamp()})

    def published_steps(self) -> list[list[int]]:
        batches = self.outbox.of(MetricsRecorded)
        return [[point.step for point in batch.points] for batch in batches]


@pytest.fixture
def run() -> RunHarness:
    return RunHarness(RecordingOutbox())


async def test_the_start_is_published_at_the_first_step(run: RunHarness) -> None:
    await run.progress.report({"event": "started", "total_steps": 9, "resumed_from_step": 0})
    assert run.outbox.events == {}

    await run.progress.report({"event": "first_step", "at": NOON.timestamp()})

    (started,) = run.outbox.of(TrainingStarted)
    assert (started.total_steps, started.worker_id, started.first_step_at) == (9, "w", NOON)


async def test_points_leave_once_a_second(run: RunHarness) -> None:
    for step in range(1, 5):
        run.clock.move(0.4)
        await run.step(step)
    await run.progress.close()

    assert run.published_steps() == [[1, 2, 3], [4]]


async def test_a_checkpoint_comes_after_the_points_before_it(run: RunHarness) -> None:
    await run.step(1)
    await run.progress.report({"event": "checkpoint", "step": 1, "path": "/checkpoints/1"})

    assert [type(e) for e in run.outbox.events.values()] == [MetricsRecorded, CheckpointSaved]
    assert run.outbox.of(CheckpointSaved)[0].uri == "file:///checkpoints/1"


async def test_events_wait_while_the_database_is_away(run: RunHarness) -> None:
    run.database.error = DatabaseUnavailable("gone")
    await run.start()
    run.clock.move(2)
    await run.step(1)
    assert run.outbox.events == {}

    run.database.error = None
    await run.progress.close()

    assert [type(e) for e in run.outbox.events.values()] == [TrainingStarted, MetricsRecorded]


async def test_remaining_events_must_be_published_before_the_end(run: RunHarness) -> None:
    await run.step(1)
    run.database.error = DatabaseUnavailable("gone")

    with pytest.raises(DatabaseUnavailable):
        await run.progress.close()


async def test_a_lost_lease_ends_the_run(run: RunHarness) -> None:
    run.database.error = LeaseLost("cancelled")

    with pytest.raises(LeaseLost):
        await run.start()


async def test_a_resumed_run_publishes_its_own_start(run: RunHarness) -> None:
    await run.start()
    resumed = RunHarness(run.outbox)
    await resumed.start(resumed_from=4)

    starts = run.outbox.of(TrainingStarted)
    assert [start.resumed_from_step for start in starts] == [0, 4]


async def test_an_unknown_report_is_passed_over(run: RunHarness) -> None:
    await run.progress.report({"event": "paused"})

    assert run.outbox.events == {}
