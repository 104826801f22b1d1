"""The ladder on a real database, with a coordinator that is killed -9 at each of its messages."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from archon_contracts.base import Contract
from archon_contracts.commands import TrainModel
from archon_contracts.events import (
    EvaluationCompleted,
    FeedbackReturned,
    JobState,
    ModelDeployed,
    WorkerReported,
)
from archon_contracts.identifiers import derived_id
from archon_contracts.values import AgentKind, ModelRef, RetentionStrategy
from services.coordinator.jobs.escalation import LADDERS
from tests.support.coordinator.coordinator import (
    AGENT,
    JobReplies,
    World,
    artifact,
    configure,
    coordinator_world,
    feedback,
    record_of,
)
from tests.support.coordinator.killed_coordinator import KilledCoordinator
from tests.support.messaging.messages import message_of

LADDER = LADDERS[AgentKind.SELECTOR]
ATTEMPT = "SELECT attempt FROM jobs"


class KilledLadder:
    """One retrain on three pieces of feedback; whoever handles its messages dies at each."""

    def __init__(self, world: World, killed: KilledCoordinator) -> None:
        self.world = world
        self._killed = killed
        self._killed_at: type[Contract] = Contract
        self._number = 0

    async def start(self, killed_at: type[Contract] = Contract) -> None:
        """A deployed version, a trainer, and a window."""
        world, self._killed_at = self.world, killed_at
        await world.deliver(configure(), self.by_hand("0.9.0"))
        await world.deliver(WorkerReported(worker_id="w", service="trainer", slots=1, busy=0))
        await world.consume([record_of(feedback(f"i{n}"), offset=n) for n in range(3)])
        self.replies = JobReplies(await world.value("SELECT job_id FROM jobs"))

    def by_hand(self, version: str) -> ModelDeployed:
        """A person deploys a version."""
        self.world.clock.move(1)
        model = ModelRef(version=version, artifact=artifact(version))
        return ModelDeployed(
            agent_id=AGENT,
            model=model,
            revision=1,
            actor="somebody",
            reason="by hand",
            deployed_at=self.world.clock.now(),
        )

    async def send(self, body: Contract) -> None:
        """A message whose handler is killed, before its commit and after it by turns.

        Then it comes again, twice, and the work that it queued is done.
        """
        message = message_of(body, time=self.world.clock.now())
        if isinstance(body, self._killed_at):
            self._number += 1
            await self._killed.handle(message, self.world.clock, committed=self._number % 2 == 0)
        await self.world.handle(message)
        await self.world.handle(message)
        await self.world.do_work()

    async def answers(self, rung: int, *, passed: bool) -> Iterator[Contract]:
        """The other services' answers on one rung."""
        attempt = await self.world.value(ATTEMPT) + 1
        evaluated: dict[str, Any] = {"evaluation_id": derived_id("evaluation", rung)}
        kinds = () if passed else ("forgetting",)
        return iter(
            (
                self.replies.dataset(dataset_id=derived_id("dataset", rung)),
                self.replies.trained(attempt),
                self.replies.evaluated(passed=passed, rejection_kinds=kinds, **evaluated),
            )
        )

    async def climb(self, *, passes_at: int, by_hand_after: int | None = None) -> None:
        """All rungs, until one passes."""
        await self.send(self.replies.plan())
        for rung in range(len(LADDER)):
            for body in await self.answers(rung, passed=rung == passes_at):
                await self.send(body)
            if rung == by_hand_after:
                await self.send(self.by_hand("5.0.0"))
            if rung == passes_at:
                return

    async def job(self) -> Any:
        """The retrain's row, and the only one before it is over."""
        return (await self.world.fetch("SELECT * FROM jobs ORDER BY created_at"))[0]

    async def held(self) -> list[tuple[str, str | None]]:
        """The feedback in windows, with the windows' outcomes."""
        rows = await self.world.fetch(
            "SELECT f.interaction_id, w.outcome FROM feedback f JOIN windows w USING (window_id) "
            "ORDER BY 1"
        )
        return [tuple(row) for row in rows]


@pytest.fixture
async def ladder(database_url: str, tmp_path: Path) -> AsyncIterator[KilledLadder]:
    async with coordinator_world(database_url, tmp_path) as world:
        yield KilledLadder(world, KilledCoordinator(database_url, tmp_path))


async def test_a_ladder_killed_at_each_message_learns_its_window_once(
    ladder: KilledLadder,
) -> None:
    world = ladder.world
    await ladder.start()

    await ladder.climb(passes_at=len(LADDER) - 1, by_hand_after=0)
    await ladder.send(ladder.replies.registered())
    world.clock.move(1)
    deployed = {"deployed_at": world.clock.now()}
    await ladder.send(ladder.replies.deployed().model_copy(update=deployed))

    job = await ladder.job()
    assert job["state"] == JobState.COMPLETED
    trained = await world.published(TrainModel)
    assert [command.retention for command in trained] == list(LADDER)
    assert [command.attempt for command in trained] == [1, 2, 3, 4]
    # The rung that ran during the deployment by hand had begun before it.
    started = [each.warm_start.version if each.warm_start else None for each in trained]
    assert started == ["0.9.0", "0.9.0", "5.0.0", None]
    assert await world.published(FeedbackReturned) == []
    assert await ladder.held() == [(f"i{n}", "learnt") for n in range(3)]
    assert len(await world.fetch("SELECT 1 FROM jobs")) == 1


async def test_a_ladder_killed_at_each_refusal_gives_its_window_back_once(
    ladder: KilledLadder,
) -> None:
    await ladder.start(killed_at=EvaluationCompleted)

    await ladder.climb(passes_at=-1)

    job = await ladder.job()
    assert job["state"] == JobState.REJECTED
    trained = await ladder.world.published(TrainModel)
    assert [command.retention for command in trained][-1] is RetentionStrategy.REHEARSAL
    (returned,) = await ladder.world.published(FeedbackReturned)
    assert (returned.returned, returned.unlearnt) == (3, 0)
    assert "it lost 0.1" in returned.reason
    assert await ladder.held() == []
    assert await ladder.world.value("SELECT unused FROM feedback_stats") == 3
