"""The escalation ladder, interrupted at each rung: by a crash, and by a deployment by hand.

A process that is killed leaves the state before a message or after it, as each is one transaction;
then the message comes again. So the coordinator is built anew on its stores between any two
messages, and the last one is delivered once more.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from archon_contracts.base import Contract
from archon_contracts.commands import TrainModel
from archon_contracts.events import FeedbackReturned, JobState, ModelDeployed, WorkerReported
from archon_contracts.identifiers import derived_id, new_id
from archon_contracts.values import AgentKind, ModelRef, RetentionStrategy
from services.coordinator.domain import Job
from services.coordinator.feedback.records import FeedbackRow
from services.coordinator.jobs.escalation import LADDERS
from tests.support.coordinator.coordinator import JobReplies, artifact, configure, feedback
from tests.support.coordinator.coordinator_memory import InMemoryCoordinator
from tests.support.coordinator.updated_agent import KEY
from tests.support.messaging.messages import message_of

LADDER = LADDERS[AgentKind.SELECTOR]
STEPS = ("record_dataset", "record_candidate", "record_evaluation")
NAMES = ("one", "two", "three")


class Climb:
    """A retrain whose candidates are refused for forgetting, led from rung to rung."""

    def __init__(self) -> None:
        self.world = InMemoryCoordinator()

    @property
    def job(self) -> Job:
        """The retrain."""
        return next(iter(self.world.store.jobs.values()))

    async def start(self) -> None:
        """A deployed version, a trainer, and a window."""
        await self.world.agents.configure_agent(None, message_of(configure()))
        await self.deploy("0.9.0")
        report = WorkerReported(worker_id="w", service="trainer", slots=1, busy=0)
        await self.send("record_worker_report", report)
        rows = [
            FeedbackRow(KEY, new_id(), n, "user", None, False, None, feedback(n).to_bytes())
            for n in NAMES
        ]
        added = await self.world.feedback.insert_feedback(None, rows, {}, self.world.clock.now())
        await self.world.agent_queue.evaluate_trigger(None, added.stats[0])
        await self.send("record_plan", JobReplies(self.job.job_id).plan())

    async def send(self, use_case: str, body: Contract) -> None:
        """Deliver a message, and do the work that it queues."""
        await getattr(self.world.jobs, use_case)(None, message_of(body))
        await self.world.do_work()

    async def deploy(self, version: str) -> None:
        """A person deploys a version."""
        model = ModelRef(version=version, artifact=artifact(version))
        now = self.world.clock.now()
        deployed = ModelDeployed(
            revision=1,
            actor="somebody",
            agent_id=KEY.agent_id,
            model=model,
            reason="by hand",
            deployed_at=now,
        )
        await self.send("record_deployment", deployed)

    def answers(self, rung: int, *, passed: bool) -> Iterator[tuple[str, Contract]]:
        """The other services' answers on one rung."""
        replies = JobReplies(self.job.job_id)
        yield STEPS[0], replies.dataset(dataset_id=derived_id("dataset", rung))
        yield STEPS[1], replies.trained(attempt=self.job.attempt)
        kinds = () if passed else ("forgetting",)
        evaluated: dict[str, Any] = {"evaluation_id": derived_id("evaluation", rung)}
        yield STEPS[2], replies.evaluated(passed=passed, rejection_kinds=kinds, **evaluated)

    async def climb(self, stop: tuple[int, str], *, passes_at: int, by_hand: bool) -> None:
        """All rungs, until one passes; interrupted after the step `stop`."""
        for rung in range(len(LADDER)):
            for use_case, body in self.answers(rung, passed=rung == passes_at):
                await self.send(use_case, body)
                if (rung, use_case) == stop:
                    self.world.restart()
                    if by_hand:
                        self.world.clock.move(1)
                        await self.deploy("5.0.0")
                    await self.send(use_case, body)
            if rung == passes_at:
                break

    async def finish(self) -> None:
        """The version that passed is registered and deployed."""
        replies = JobReplies(self.job.job_id)
        await self.send("record_registration", replies.registered())
        self.world.clock.move(1)
        at = self.world.clock.now()
        deployed = replies.deployed().model_copy(update={"deployed_at": at})
        await self.send("record_deployment", deployed)


def interruptions() -> list[tuple[int, str]]:
    return [(rung, step) for rung in range(len(LADDER)) for step in STEPS]


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("stop", interruptions())
async def test_a_ladder_that_fails_says_why_and_gives_its_window_back_once(
    stop: tuple[int, str], by_hand: bool
) -> None:
    climb = Climb()
    await climb.start()

    await climb.climb(stop, passes_at=-1, by_hand=by_hand)

    assert climb.job.state is JobState.REJECTED
    assert [step.strategy for step in climb.job.facts.escalations] == list(LADDER[:-1])
    (returned,) = climb.world.outbox.of(FeedbackReturned)
    assert (returned.returned, returned.unlearnt) == (len(NAMES), 0)
    assert "it lost 0.1" in returned.reason
    # Unused, or in the next window alone: a deployment by hand after the end ends the backoff.
    held = {each.window_id for each in climb.world.feedback.rows.values()}
    assert len(held) == 1
    assert returned.window_id not in held


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("stop", interruptions())
async def test_a_ladder_that_ends_well_learns_its_window_once(
    stop: tuple[int, str], by_hand: bool
) -> None:
    climb = Climb()
    await climb.start()
    rung = stop[0]

    await climb.climb(stop, passes_at=rung, by_hand=by_hand)
    await climb.finish()

    assert climb.job.state is JobState.COMPLETED
    assert len(climb.job.facts.escalations) == rung
    assert climb.world.outbox.of(FeedbackReturned) == []
    stats = await climb.world.feedback.lock_stats(None, KEY)
    assert stats is not None
    assert (stats.unused, stats.busy) == (0, False)
    assert len(climb.world.store.jobs) == 1


async def test_the_rung_after_a_deployment_by_hand_starts_from_that_version() -> None:
    climb = Climb()
    await climb.start()

    await climb.climb((0, "record_candidate"), passes_at=-1, by_hand=True)

    started = {
        command.retention: command.warm_start.version if command.warm_start else None
        for command in climb.world.outbox.of(TrainModel)
    }
    assert started == {
        RetentionStrategy.STANDARD: "0.9.0",
        RetentionStrategy.MORE_REPLAY: "5.0.0",
        RetentionStrategy.INTERPOLATION: "5.0.0",
        RetentionStrategy.REHEARSAL: None,
    }
