"""Did it learn? Each signal is stated, and a run that changed nothing is no success."""

from typing import Any

import pytest

from archon_contracts.events import EvaluationCompleted, JobRejected, JobState, PairedComparison
from archon_contracts.identifiers import new_id
from archon_contracts.metric_names import (
    CHANGED_ANSWERS,
    CLOSED_FORM_ACCURACY,
    CLOSED_FORM_SECONDS,
    FINE_TUNED_ACCURACY,
    FINE_TUNED_CHOSEN,
    FINE_TUNED_SECONDS,
    LEARNT_ITEMS,
    NEW_ITEMS_RIGHT_AFTER,
    NEW_ITEMS_RIGHT_BEFORE,
    TRAIN_LOSS_AFTER,
    TRAIN_LOSS_BEFORE,
)
from archon_contracts.values import ALL_ITEMS, Estimate, ModelRef, TrainingConfig, TrainingMethod
from services.coordinator.domain import AgentKey, CandidateFacts, Job, JobFacts, JobTrace
from services.coordinator.feedback.records import FeedbackRow
from services.coordinator.jobs.learning import assess_learning
from tests.support.coordinator.coordinator import AGENT, JobReplies, artifact, configure, feedback
from tests.support.coordinator.coordinator_memory import InMemoryCoordinator
from tests.support.messaging.messages import NOON, message_of


def job(*, same_weights: bool = False, **metrics: float) -> Job:
    """A job whose candidate is evaluated."""
    deployed = ModelRef(version="1.0.0", artifact=artifact("deployed"))
    weights = artifact("deployed" if same_weights else "candidate")
    candidate = CandidateFacts(artifact=weights, steps=1, metrics=metrics)
    return Job(
        job_id=new_id(),
        key=AgentKey("default", AGENT),
        state=JobState.EVALUATING,
        method=TrainingMethod.CONTINUAL,
        config=TrainingConfig(),
        trace=JobTrace("a" * 32, None, "b" * 16, "c" * 16),
        created_at=NOON,
        state_since=NOON,
        facts=JobFacts(warm_start=deployed, candidate=candidate),
    )


def evaluation(changed: int | None, gained: int = 0, lost: int = 0) -> EvaluationCompleted:
    difference = Estimate(value=0.0, low=0.0, high=0.0, n=100)
    pair = PairedComparison(
        difference=difference, p_value=1.0, candidate_only=gained, deployed_only=lost
    )
    return EvaluationCompleted(
        agent_id=AGENT,
        job_id=new_id(),
        evaluation_id=new_id(),
        passed=True,
        reasons=("it passed",),
        accuracy={},
        comparison={ALL_ITEMS: pair},
        changed_answers=changed,
        answered_items=None if changed is None else 100,
        duration_seconds=1,
    )


def test_a_run_that_learnt_states_all_its_signals() -> None:
    learnt = job(**{TRAIN_LOSS_BEFORE: 2.0, TRAIN_LOSS_AFTER: 0.5})

    learning = assess_learning(learnt, evaluation(30, gained=20, lost=5))

    assert learning.learnt
    assert learning.reasons == (
        "the loss fell (2 to 0.5)",
        "weights moved",
        "30 of 100 answers changed",
        "+15 right answers",
    )


@pytest.mark.parametrize(
    ("same_weights", "changed", "learnt"),
    [(True, 0, False), (True, 3, False), (False, 0, False), (False, 1, True), (False, None, True)],
)
def test_weights_and_answers_must_both_change(
    same_weights: bool, changed: int | None, learnt: bool
) -> None:
    assert assess_learning(job(same_weights=same_weights), evaluation(changed)).learnt is learnt


def test_an_update_that_leaves_the_suite_alone_learnt_by_its_own_items() -> None:
    own: dict[str, Any] = {
        CHANGED_ANSWERS: 1.0,
        LEARNT_ITEMS: 1.0,
        NEW_ITEMS_RIGHT_BEFORE: 0.0,
        NEW_ITEMS_RIGHT_AFTER: 1.0,
    }

    learning = assess_learning(job(**own), evaluation(0))

    assert (learning.learnt, learning.changed_answers, learning.right_gained) == (True, 1, 1)


def test_a_loss_that_rose_is_stated_and_decides_nothing() -> None:
    learning = assess_learning(
        job(**{TRAIN_LOSS_BEFORE: 0.5, TRAIN_LOSS_AFTER: 0.7}), evaluation(9, gained=9)
    )

    assert learning.learnt
    assert learning.reasons[0] == "the loss did not fall (0.5 to 0.7)"


def test_the_free_option_is_stated_beside_the_one_that_was_tried() -> None:
    both = {
        CLOSED_FORM_ACCURACY: 0.8,
        FINE_TUNED_ACCURACY: 0.81,
        CLOSED_FORM_SECONDS: 1.5,
        FINE_TUNED_SECONDS: 60.0,
        FINE_TUNED_CHOSEN: 0.0,
    }

    report = assess_learning(job(**both), evaluation(3))

    assert report.reasons[-1] == (
        "the closed form was taken: closed form 80.0% in 1.5 s, fine-tuned 81.0% in 60.0 s, "
        "of the same validation items"
    )


async def test_what_the_gate_passes_and_learnt_nothing_is_rejected() -> None:
    world = InMemoryCoordinator()
    await world.agents.configure_agent(None, message_of(configure()))
    key = AgentKey("default", AGENT)
    rows = [
        FeedbackRow(key, new_id(), f"i{n}", "user", None, False, None, feedback(f"i{n}").to_bytes())
        for n in range(3)
    ]
    inserted = await world.feedback.insert_feedback(None, rows, {}, world.clock.now())
    await world.agent_queue.evaluate_trigger(None, inserted.stats[0])
    (opened,) = world.store.jobs.values()
    replies = JobReplies(opened.job_id)
    await world.jobs.record_plan(None, message_of(replies.plan()))
    await world.do_work()
    for use_case, body in (
        ("record_dataset", replies.dataset()),
        ("record_candidate", replies.trained()),
        (
            "record_evaluation",
            replies.evaluated(passed=True).model_copy(
                update={"changed_answers": 0, "answered_items": 40}
            ),
        ),
    ):
        await getattr(world.jobs, use_case)(None, message_of(body))

    (ended,) = world.store.jobs.values()
    (rejected,) = world.outbox.of(JobRejected)
    assert ended.state is JobState.REJECTED
    assert rejected.reason.startswith("it learnt nothing: 0 of 40 answers changed; ")
    assert rejected.learning is not None
    assert not rejected.learning.learnt
