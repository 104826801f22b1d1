"""The escalation ladder: what is tried next, and when the job ends instead."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from archon_contracts.events import (
    CurriculumPlan,
    CurriculumStage,
    JobState,
    LearningReport,
    TriggerReason,
)
from archon_contracts.identifiers import derived_id
from archon_contracts.metric_names import CLOSED_FORM, FINE_TUNED_SECONDS
from archon_contracts.values import (
    AgentKind,
    LearningPolicy,
    ModelRef,
    RetentionStrategy,
    TrainingConfig,
    TrainingMethod,
)
from services.coordinator.domain import (
    AgentKey,
    CandidateFacts,
    Job,
    JobFacts,
    JobTrace,
    WindowFacts,
)
from services.coordinator.jobs.escalation import (
    LADDERS,
    attempts_of_rung,
    choose_escalation,
    escalate,
    is_answer_of_earlier_candidate,
    is_dataset_of_earlier_rung,
)
from tests.support.coordinator.coordinator import DATASET_ID, EVALUATION_ID, artifact
from tests.support.messaging.messages import NOON

DEPLOYED = ModelRef(version="1.0.0", artifact=artifact("deployed"))
STAGES = (CurriculumStage(name="all", maximum_difficulty=1, step_proportion=1),)
FORGETTING = ("no_gain", "forgetting")


def refused_job(**facts: Any) -> Job:
    """A retrain whose candidate was evaluated."""
    window = WindowFacts(
        window_id=derived_id("w"),
        reason=TriggerReason.COUNT,
        feedback_count=3,
        feedback_digest="0" * 64,
    )
    values: dict[str, Any] = {
        "window": window,
        "warm_start": DEPLOYED,
        "plan": CurriculumPlan(level=1, stages=STAGES, replay_ratio=0.5),
    }
    return Job(
        job_id=derived_id("job"),
        key=AgentKey("default", "a"),
        state=JobState.EVALUATING,
        method=TrainingMethod.CONTINUAL,
        config=TrainingConfig(),
        trace=JobTrace("a" * 32, None, "b" * 16, "c" * 16),
        created_at=NOON,
        state_since=NOON,
        attempt=1,
        facts=JobFacts(**(values | facts)),
    )


def climb(job: Job, kind: AgentKind, policy: LearningPolicy) -> tuple[list[RetentionStrategy], str]:
    """Refuse every candidate for forgetting; returns the strategies tried and why none follows."""
    tried = [job.facts.retention]
    while True:
        decision = choose_escalation(job, kind, policy, FORGETTING, NOON)
        if decision.strategy is None:
            return tried, decision.reason
        facts = escalate(job, decision.strategy, DEPLOYED, evaluation_id=EVALUATION_ID, reason="x")
        job = replace(job, facts=facts, attempt=job.attempt + 1)
        tried.append(decision.strategy)


@pytest.mark.parametrize("kind", AgentKind)
def test_every_kind_climbs_its_ladder_to_the_end(kind: AgentKind) -> None:
    tried, why = climb(refused_job(), kind, LearningPolicy(maximum_escalations=5))

    assert tried == list(LADDERS[kind])
    assert why == "no stronger strategy is left"


@pytest.mark.parametrize(
    ("metrics", "follows"),
    [
        ({CLOSED_FORM: 1.0}, RetentionStrategy.REHEARSAL),
        # Fine-tuning was tried: with more replay it gives another model.
        ({CLOSED_FORM: 1.0, FINE_TUNED_SECONDS: 9.0}, RetentionStrategy.MORE_REPLAY),
        ({CLOSED_FORM: 0.0, FINE_TUNED_SECONDS: 9.0}, RetentionStrategy.MORE_REPLAY),
        ({}, RetentionStrategy.MORE_REPLAY),
    ],
)
def test_strategies_that_give_the_same_closed_form_are_skipped(
    metrics: dict[str, float], follows: RetentionStrategy
) -> None:
    candidate = CandidateFacts(artifact=artifact("refused"), steps=1, metrics=metrics)
    job = refused_job(candidate=candidate)

    decision = choose_escalation(job, AgentKind.SELECTOR, LearningPolicy(), FORGETTING, NOON)

    assert decision.strategy is follows


def test_the_policy_bounds_the_escalations() -> None:
    tried, why = climb(refused_job(), AgentKind.SELECTOR, LearningPolicy(maximum_escalations=1))

    assert len(tried) == 2
    assert "escalated 1 times, and learning.maximum_escalations allows no more" in why


def test_an_old_job_does_not_escalate() -> None:
    policy = LearningPolicy(escalation_seconds=60)
    late = NOON + timedelta(seconds=60)

    decision = choose_escalation(refused_job(), AgentKind.SELECTOR, policy, FORGETTING, late)

    assert decision.strategy is None
    assert "learning.escalation_seconds is 60" in decision.reason


@pytest.mark.parametrize(
    ("facts", "rejection_kinds"),
    [
        ({}, ("no_gain",)),  # a stronger hold on the old teaches nothing new
        ({"warm_start": None}, FORGETTING),  # a first training
        ({"window": None}, FORGETTING),  # somebody's own data set and configuration
    ],
)
def test_only_a_retrain_refused_for_forgetting_escalates(
    facts: dict[str, Any], rejection_kinds: tuple[str, ...]
) -> None:
    job = refused_job(**facts)

    decision = choose_escalation(job, AgentKind.SELECTOR, LearningPolicy(), rejection_kinds, NOON)

    assert decision.strategy is None


def test_the_next_strategy_starts_from_what_is_deployed_now() -> None:
    newer = ModelRef(version="2.0.0", artifact=artifact("newer"))
    job = refused_job()

    held = escalate(
        job, RetentionStrategy.MORE_REPLAY, newer, evaluation_id=EVALUATION_ID, reason="x"
    )
    anew = escalate(
        job, RetentionStrategy.REHEARSAL, newer, evaluation_id=EVALUATION_ID, reason="x"
    )

    assert (held.warm_start, anew.warm_start) == (newer, None)
    assert held.plan is not None
    assert held.plan.replay_ratio == 1.0


def test_the_next_strategy_begins_without_what_was_found_of_the_refused_candidate() -> None:
    report = LearningReport(learnt=True, reasons=("weights moved",))
    job = refused_job(learning=report)

    facts = escalate(
        job, RetentionStrategy.MORE_REPLAY, DEPLOYED, evaluation_id=EVALUATION_ID, reason="x"
    )

    assert (facts.dataset, facts.candidate, facts.evaluation, facts.learning) == (None,) * 4


def test_an_answer_of_an_earlier_strategy_is_recognised() -> None:
    job = refused_job()
    facts = escalate(
        job, RetentionStrategy.MORE_REPLAY, DEPLOYED, evaluation_id=EVALUATION_ID, reason="x"
    )
    step = facts.escalations[0].model_copy(update={"dataset_id": DATASET_ID})
    later = replace(job, facts=facts.model_copy(update={"escalations": (step,)}))

    assert is_answer_of_earlier_candidate(later, evaluation_id=EVALUATION_ID)
    assert not is_answer_of_earlier_candidate(later, evaluation_id=derived_id("another"))
    assert is_dataset_of_earlier_rung(later, DATASET_ID)
    assert not is_dataset_of_earlier_rung(later, derived_id("another"))


def test_each_strategy_has_all_its_attempts() -> None:
    job = replace(refused_job(), attempt=3)
    facts = escalate(
        job, RetentionStrategy.MORE_REPLAY, DEPLOYED, evaluation_id=EVALUATION_ID, reason="x"
    )

    assert attempts_of_rung(job) == 3
    assert attempts_of_rung(replace(job, facts=facts, attempt=4)) == 1
