"""Jobs whose versions are not deployed at once."""

import pytest

from archon_contracts.commands import CancelJob, DeployModel
from archon_contracts.events import (
    ExperimentConcluded,
    ExperimentStarted,
    JobRejected,
    JobState,
    ReviewRequested,
    WorkerReported,
)
from archon_contracts.identifiers import new_id
from archon_contracts.rules.rollout_policy import RolloutMode, RolloutPolicy
from archon_contracts.values import ModelRef
from services.coordinator.domain import Job
from services.coordinator.feedback.records import FeedbackRow
from tests.support.coordinator.coordinator import JobReplies, artifact, configure, feedback
from tests.support.coordinator.coordinator_memory import InMemoryCoordinator
from tests.support.coordinator.updated_agent import KEY
from tests.support.messaging.messages import message_of

DEPLOYED = ModelRef(version="1.0.0", artifact=artifact("deployed"))


class RollingOutJob:
    """A retrain that is led to its registration."""

    def __init__(self) -> None:
        self.world = InMemoryCoordinator()
        self.experiment_id = new_id()

    async def start(self, mode: RolloutMode) -> None:
        world, policy = self.world, RolloutPolicy(mode=mode)
        await world.agents.configure_agent(None, message_of(configure(rollout=policy)))
        await world.store.set_deployed(None, KEY, DEPLOYED, world.clock.now())
        report = WorkerReported(worker_id="w", service="trainer", slots=1, busy=0)
        await world.jobs.record_worker_report(None, message_of(report))
        rows = [
            FeedbackRow(KEY, new_id(), n, "user", None, False, None, feedback(n).to_bytes())
            for n in ("one", "two", "three")
        ]
        added = await world.feedback.insert_feedback(None, rows, {}, world.clock.now())
        await world.agent_queue.evaluate_trigger(None, added.stats[0])
        self.replies = JobReplies(self.job.job_id)
        await world.jobs.record_plan(None, message_of(self.replies.plan()))
        await world.do_work()
        await world.jobs.record_dataset(None, message_of(self.replies.dataset()))
        await world.jobs.record_candidate(None, message_of(self.replies.trained()))
        await world.jobs.record_evaluation(None, message_of(self.replies.evaluated()))
        await world.jobs.record_registration(None, message_of(self.replies.registered("1.1.0")))

    async def begin_experiment(self) -> None:
        started = ExperimentStarted(
            agent_id=KEY.agent_id,
            experiment_id=self.experiment_id,
            control=DEPLOYED,
            treatment=ModelRef(version="1.1.0", artifact=self.replies.candidate),
            treatment_proportion=0.5,
            job_id=self.job.job_id,
        )
        await self.world.jobs.record_experiment(None, message_of(started))

    async def end_experiment(self, outcome: str) -> None:
        ended = ExperimentConcluded(
            agent_id=KEY.agent_id,
            experiment_id=self.experiment_id,
            winner="1.1.0" if outcome == "promoted" else "1.0.0",
            reason="the candidate is worse",
            outcome=outcome,
            job_id=self.job.job_id,
        )
        await self.world.jobs.record_experiment_end(None, message_of(ended))

    @property
    def job(self) -> Job:
        return next(iter(self.world.store.jobs.values()))

    @property
    def commands(self) -> list[DeployModel]:
        return self.world.outbox.of(DeployModel)


@pytest.fixture
async def rolling_out() -> RollingOutJob:
    job = RollingOutJob()
    await job.start(RolloutMode.AB_TEST)
    return job


async def test_a_job_waits_for_the_end_of_its_experiment(rolling_out: RollingOutJob) -> None:
    await rolling_out.begin_experiment()
    for _ in range(5):
        rolling_out.world.clock.move(3600)
        await rolling_out.world.lifecycle.handle_overdue(None, rolling_out.job)

    deadline = rolling_out.job.deadline_at
    assert rolling_out.job.state is JobState.ROLLING_OUT
    assert deadline is not None
    assert deadline > rolling_out.world.clock.now()
    assert len(rolling_out.commands) == 1


@pytest.mark.parametrize("outcome", ["kept", "cancelled"])
async def test_a_job_whose_version_is_not_promoted_is_rejected(
    rolling_out: RollingOutJob, outcome: str
) -> None:
    await rolling_out.begin_experiment()

    await rolling_out.end_experiment(outcome)

    (rejected,) = rolling_out.world.outbox.of(JobRejected)
    assert rolling_out.job.state is JobState.REJECTED
    assert rejected.reason.startswith("the candidate is worse")


async def test_a_promoted_version_completes_its_job_when_it_is_deployed(
    rolling_out: RollingOutJob,
) -> None:
    await rolling_out.begin_experiment()

    await rolling_out.end_experiment("promoted")
    before = rolling_out.job.state
    deployed = message_of(rolling_out.replies.deployed("1.1.0"))
    await rolling_out.world.jobs.record_deployment(None, deployed)

    assert (before, rolling_out.job.state) == (JobState.ROLLING_OUT, JobState.COMPLETED)


async def test_an_end_that_comes_again_changes_nothing(rolling_out: RollingOutJob) -> None:
    await rolling_out.begin_experiment()

    await rolling_out.end_experiment("kept")
    await rolling_out.end_experiment("kept")
    await rolling_out.begin_experiment()

    assert len(rolling_out.world.outbox.of(JobRejected)) == 1
    assert rolling_out.job.state is JobState.REJECTED


async def test_a_cancelled_job_ends_its_experiment(rolling_out: RollingOutJob) -> None:
    await rolling_out.begin_experiment()

    command = CancelJob(job_id=rolling_out.job.job_id, reason="not wanted")
    await rolling_out.world.requests.cancel_job(None, message_of(command))

    last = rolling_out.commands[-1]
    assert rolling_out.job.state is JobState.CANCELLED
    assert (last.model_version, last.job_id) == ("1.0.0", None)


async def test_a_manual_agents_version_waits_for_a_person() -> None:
    job = RollingOutJob()

    await job.start(RolloutMode.MANUAL)

    (review,) = job.world.outbox.of(ReviewRequested)
    assert job.job.state is JobState.COMPLETED
    assert review.reasons == ("the agent's rollout mode is manual",)
    assert job.commands == []
