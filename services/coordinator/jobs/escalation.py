"""The escalation ladder: what a job tries after its candidate was refused for forgetting. Pure.

A rejection for another reason is no matter of retention, so a stronger strategy would not help.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from archon_contracts.events import CurriculumPlan, RejectionKind
from archon_contracts.metric_names import CLOSED_FORM, FINE_TUNED_SECONDS
from archon_contracts.values import AgentKind, LearningPolicy, ModelRef, RetentionStrategy
from services.coordinator.domain import EscalationStep, Job, JobFacts, ReplacedCandidate

MORE_REPLAY_RATIO: Final = 1.0
"""Replayed items per new item from the second rung on: the most that a plan allows."""

CLOSED_FORM_STEPS: Final = 1
"""Solving for its head counts as one optimizer step."""

OF_GRADIENT_DESCENT: Final = frozenset(
    {RetentionStrategy.MORE_REPLAY, RetentionStrategy.INTERPOLATION}
)
"""Strategies that give a closed form once more: its sums hold all earlier items already."""

LADDERS: Final[Mapping[AgentKind, tuple[RetentionStrategy, ...]]] = {
    # Cheapest first: each costs more data or more steps than the one before.
    AgentKind.SELECTOR: (
        RetentionStrategy.STANDARD,
        RetentionStrategy.MORE_REPLAY,
        RetentionStrategy.INTERPOLATION,
        RetentionStrategy.REHEARSAL,
    ),
    # A closed-form head holds all earlier items in its sums, so replay and averaged weights change
    # nothing; only another encoder, tuned on old and new together, can separate the labels better.
    AgentKind.CLASSIFIER: (RetentionStrategy.STANDARD, RetentionStrategy.REHEARSAL),
    # Weights are averaged by the encoders' recipe only.
    AgentKind.GENERATOR: (
        RetentionStrategy.STANDARD,
        RetentionStrategy.MORE_REPLAY,
        RetentionStrategy.REHEARSAL,
    ),
}


@dataclass(frozen=True, slots=True)
class EscalationDecision:
    """The next strategy, or None with the reason why the job ends here."""

    strategy: RetentionStrategy | None = None
    reason: str = ""


def choose_escalation(
    job: Job,
    kind: AgentKind,
    policy: LearningPolicy,
    rejection_kinds: tuple[str, ...],
    now: datetime,
) -> EscalationDecision:
    """What follows a refused candidate.

    A first training cannot lose what it never had. A job without a window was asked for with a
    dataset and a configuration of somebody's choice, which is theirs to change, or is a withdrawal,
    whose losses are for a person to accept.
    """
    # An update of the fast path keeps its sums: the window that follows it is trained properly.
    if RejectionKind.FORGETTING not in rejection_kinds or job.is_update:
        return EscalationDecision()
    if job.facts.window is None:
        return EscalationDecision()
    if job.facts.warm_start is None and not job.facts.escalations:
        return EscalationDecision()
    done = len(job.facts.escalations)
    if done >= policy.maximum_escalations:
        return EscalationDecision(
            reason=f"escalated {done} times, and learning.maximum_escalations allows no more"
            if policy.maximum_escalations
            else ""
        )
    age = (now - job.created_at).total_seconds()
    if age >= policy.escalation_seconds:
        return EscalationDecision(
            reason=f"the job is {age:.0f} s old, and learning.escalation_seconds is "
            f"{policy.escalation_seconds:g}: no further strategy is tried"
        )
    ladder = LADDERS[kind]
    place = ladder.index(job.facts.retention) if job.facts.retention in ladder else 0
    skipped = OF_GRADIENT_DESCENT if _is_closed_form_alone(job.facts) else frozenset()
    for strategy in ladder[place + 1 :]:
        if strategy not in skipped:
            return EscalationDecision(strategy)
    return EscalationDecision(reason="no stronger strategy is left")


def _is_closed_form_alone(facts: JobFacts) -> bool:
    """Whether the refused candidate is a closed form, and fine-tuning was not tried beside it."""
    metrics = facts.candidate.metrics if facts.candidate else {}
    return metrics.get(CLOSED_FORM) == 1.0 and FINE_TUNED_SECONDS not in metrics


def escalate(
    job: Job,
    strategy: RetentionStrategy,
    deployed: ModelRef | None,
    *,
    evaluation_id: UUID,
    reason: str,
) -> JobFacts:
    """The job's facts for its next strategy on the same window.

    It starts from what is deployed now: somebody may have deployed another version since the job
    began, and the gate compares with that one.
    """
    facts = job.facts
    step = EscalationStep(
        strategy=facts.retention,
        evaluation_id=evaluation_id,
        dataset_id=facts.dataset.dataset_id if facts.dataset else None,
        replay_ratio=facts.plan.replay_ratio if facts.plan else 0.0,
        attempt=job.attempt,
        reason=reason,
    )
    return facts.model_copy(
        update={
            "escalations": (*facts.escalations, step),
            "retention": strategy,
            "warm_start": None if strategy is RetentionStrategy.REHEARSAL else deployed,
            "plan": _with_more_replay(facts.plan),
            "dataset": None,
            "candidate": None,
            "evaluation": None,
            # It reports on the refused candidate, and would stand for the next one until that is
            # evaluated, or in the job's end if it never is.
            "learning": None,
        }
    )


def replace_by_closed_form(job: Job, *, evaluation_id: UUID, reason: str) -> JobFacts | None:
    """The facts of a job whose refused fine-tuned candidate is replaced by its closed form.

    None where there is none beside it. It comes before any stronger strategy: it is there already,
    and it is evaluated by the same rules.
    """
    candidate = job.facts.candidate
    if candidate is None or candidate.closed_form is None:
        return None
    closed_form = candidate.closed_form
    replaced = ReplacedCandidate(
        evaluation_id=evaluation_id,
        artifact=candidate.artifact,
        closed_form=closed_form.artifact,
        reason=reason,
    )
    taken = candidate.model_copy(
        update={
            "artifact": closed_form.artifact,
            "metrics": closed_form.metrics,
            "steps": CLOSED_FORM_STEPS,
            "closed_form": None,
        }
    )
    return job.facts.model_copy(
        update={
            "candidate": taken,
            "replaced": (*job.facts.replaced, replaced),
            # Both report on the refused candidate.
            "evaluation": None,
            "learning": None,
        }
    )


def _with_more_replay(plan: CurriculumPlan | None) -> CurriculumPlan | None:
    if plan is None:
        return None
    return plan.model_copy(update={"replay_ratio": MORE_REPLAY_RATIO})


def is_answer_of_earlier_candidate(job: Job, *, evaluation_id: UUID) -> bool:
    """Whether an evaluation is of a candidate that was refused before: it came again, late."""
    refused = {each.evaluation_id for each in job.facts.escalations}
    return evaluation_id in refused | {each.evaluation_id for each in job.facts.replaced}


def is_dataset_of_earlier_rung(job: Job, dataset_id: UUID) -> bool:
    """Whether a dataset was prepared for an earlier strategy, from another command.

    Two rungs with one command share a dataset, so that the same id is then the right answer.
    """
    facts = job.facts
    ratio = facts.plan.replay_ratio if facts.plan else 0.0
    rehearses = facts.retention is RetentionStrategy.REHEARSAL
    return any(
        step.dataset_id == dataset_id and (step.replay_ratio != ratio or rehearses)
        for step in facts.escalations
    )


def attempts_of_rung(job: Job) -> int:
    """Training attempts with the present strategy: each strategy has all its tries."""
    earlier = job.facts.escalations[-1].attempt if job.facts.escalations else 0
    return job.attempt - earlier


def describe_escalation(job: Job, strategy: RetentionStrategy, policy: LearningPolicy) -> str:
    """What the job's history says of it."""
    number = len(job.facts.escalations) + 1
    return (
        f"goes on with {strategy} instead of {job.facts.retention} on the same window "
        f"(escalation {number} of at most {policy.maximum_escalations})"
    )
