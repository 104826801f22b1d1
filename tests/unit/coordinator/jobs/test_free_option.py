"""A refused fine-tuned candidate is followed by its closed form, in the same job."""

import pytest

from archon_contracts.commands import EvaluateModel, RegisterModel, TrainModel
from archon_contracts.events import FeedbackReturned, JobState, JobStateChanged, WorkerReported
from archon_contracts.identifiers import derived_id, new_id
from services.coordinator.domain import Job
from services.coordinator.feedback.records import FeedbackRow
from tests.support.coordinator.coordinator import (
    CLASSIFIER,
    JobReplies,
    configure,
    feedback,
)
from tests.support.coordinator.coordinator_memory import InMemoryCoordinator
from tests.support.coordinator.updated_agent import KEY
from tests.support.messaging.messages import message_of

REFUSED = ("not_above_closed_form",)


class FineTunedJob:
    """A classifier's first retrain, whose training preferred the fine-tuned model."""

    def __init__(self) -> None:
        self.world = InMemoryCoordinator()

    async def start(self) -> None:
        """Lead it to its evaluation."""
        await self.world.agents.configure_agent(None, message_of(configure(**CLASSIFIER)))
        report = WorkerReported(worker_id="w", service="trainer", slots=1, busy=0)
        await self.world.jobs.record_worker_report(None, message_of(report))
        rows = [
            FeedbackRow(KEY, new_id(), n, "user", None, False, None, feedback(n).to_bytes())
            for n in ("one", "two", "three")
        ]
        added = await self.world.feedback.insert_feedback(None, rows, {}, self.world.clock.now())
        await self.world.agent_queue.evaluate_trigger(None, added.stats[0])
        self.replies = JobReplies(self.job.job_id)
        await self.world.jobs.record_plan(None, message_of(self.replies.plan()))
        await self.world.do_work()
        await self.world.jobs.record_dataset(None, message_of(self.replies.dataset()))
        await self.world.jobs.record_candidate(
            None, message_of(self.replies.trained(fine_tuned=True))
        )

    @property
    def job(self) -> Job:
        """The retrain."""
        return next(iter(self.world.store.jobs.values()))

    async def evaluate(self, number: int, *kinds: str) -> None:
        """The evaluator's next report; without kinds it passes."""
        body = self.replies.evaluated(
            passed=not kinds,
            rejection_kinds=kinds,
            evaluation_id=derived_id("evaluation", number),
        )
        await self.world.jobs.record_evaluation(None, message_of(body))

    @property
    def evaluations(self) -> list[EvaluateModel]:
        """The commands to the evaluator."""
        return self.world.outbox.of(EvaluateModel)


@pytest.fixture
async def fine_tuned() -> FineTunedJob:
    started = FineTunedJob()
    await started.start()
    return started


async def test_the_closed_form_is_an_arm_of_the_fine_tuned_candidates_gate(
    fine_tuned: FineTunedJob,
) -> None:
    (command,) = fine_tuned.evaluations

    assert command.candidate == fine_tuned.replies.candidate
    assert command.closed_form == fine_tuned.replies.closed_form
    assert command.base_model
    assert command.run is not None
    assert command.run.training_seconds == 3


@pytest.mark.parametrize("kind", ["not_above_closed_form", "no_gain", "forgetting", "drift"])
async def test_a_refused_fine_tuned_candidate_is_followed_by_its_closed_form(
    fine_tuned: FineTunedJob, kind: str
) -> None:
    await fine_tuned.evaluate(1, kind)

    assert fine_tuned.job.state is JobState.EVALUATING
    first, second = fine_tuned.evaluations
    assert second.attempt > first.attempt
    assert (second.candidate, second.closed_form) == (fine_tuned.replies.closed_form, None)
    assert second.run is not None
    assert second.run.replaced == "it lost 0.1"
    said = fine_tuned.world.outbox.of(JobStateChanged)[-1].reason
    assert said == "it lost 0.1; the closed form of the same training takes its place"


async def test_the_closed_form_that_passes_is_registered_with_the_reason(
    fine_tuned: FineTunedJob,
) -> None:
    await fine_tuned.evaluate(1, *REFUSED)
    await fine_tuned.evaluate(2)

    (command,) = fine_tuned.world.outbox.of(RegisterModel)
    assert command.artifact == fine_tuned.replies.closed_form
    assert command.lineage["replaced_candidate"] == {
        "artifact": fine_tuned.replies.candidate.model_dump(mode="json"),
        "reason": "it lost 0.1",
    }
    learning = fine_tuned.job.facts.learning
    assert learning is not None
    assert learning.reasons[-1] == "the gate took the closed form: it lost 0.1"


async def test_an_evaluation_of_the_refused_candidate_that_comes_again_decides_nothing(
    fine_tuned: FineTunedJob,
) -> None:
    await fine_tuned.evaluate(1, *REFUSED)
    fine_tuned.world.restart()
    before = fine_tuned.job

    await fine_tuned.evaluate(1, *REFUSED)

    assert fine_tuned.job == before


async def test_when_the_closed_form_is_refused_too_the_window_comes_back_once(
    fine_tuned: FineTunedJob,
) -> None:
    await fine_tuned.evaluate(1, *REFUSED)
    await fine_tuned.evaluate(2, "no_gain")

    assert fine_tuned.job.state is JobState.REJECTED
    (returned,) = fine_tuned.world.outbox.of(FeedbackReturned)
    assert returned.returned == 3
    assert len(fine_tuned.world.outbox.of(TrainModel)) == 1
