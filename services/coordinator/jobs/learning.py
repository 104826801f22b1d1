"""Did it learn? A report on each run, from signals that the run and its evaluation left. Pure.

The gate says whether a candidate may be deployed. That a run did nothing at all can still look like
success there: a policy without a threshold, or a suite that the run cannot change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from archon_contracts.events import EvaluationCompleted, LearningReport
from archon_contracts.metric_names import (
    CHANGED_ANSWERS,
    CLOSED_FORM_ACCURACY,
    CLOSED_FORM_SECONDS,
    FINE_TUNED_ACCURACY,
    FINE_TUNED_CHOSEN,
    FINE_TUNED_SECONDS,
    FROM_BASE,
    FROM_SCRATCH,
    HELD_OUT_LOGS,
    LEARNT_ITEMS,
    LOGGED_REWARD,
    NEW_ITEMS_RIGHT_AFTER,
    NEW_ITEMS_RIGHT_BEFORE,
    POLICY_VALUE,
    POLICY_VALUE_HIGH,
    POLICY_VALUE_LOW,
    REWARDED_ITEMS,
    TRAIN_LOSS_AFTER,
    TRAIN_LOSS_BEFORE,
    TRANSFER_ACCURACY,
    TRANSFER_ITEMS,
    WITHOUT_PROPENSITY,
    ZERO_SHOT,
)
from archon_contracts.values import ALL_ITEMS
from services.coordinator.domain import CandidateFacts, Job

MAXIMUM_P_VALUE: Final = 0.05
OTHER_STARTS: Final = {
    FROM_BASE: "the same training from the base model",
    FROM_SCRATCH: "the same training from random weights",
    ZERO_SHOT: "no training",
}


def assess_learning(job: Job, evaluation: EvaluationCompleted) -> LearningReport:
    """Whether the job's candidate learnt something.

    It did when its weights are others and its answers too, on the suite or on the run's own new
    items. A loss that did not fall, or answers that got worse, are stated; alone they prove
    nothing, since a better model may have a higher loss on few items.
    """
    candidate = job.facts.candidate
    metrics = candidate.metrics if candidate else {}
    before, after = metrics.get(TRAIN_LOSS_BEFORE), metrics.get(TRAIN_LOSS_AFTER)
    moved = _weights_moved(job, candidate)
    changed, items = _changed_answers(evaluation, metrics)
    gained = _right_gained(evaluation, metrics)
    withdrawal = job.facts.withdrawal
    return LearningReport(
        # A withdrawal is to learn nothing: its weights are others, its answers need not be.
        learnt=moved is not False and (changed != 0 or withdrawal is not None),
        reasons=(
            *([f"{withdrawal.items} retracted items leave"] if withdrawal else ()),
            *_describe(before, after, moved, changed, items, gained),
            *_describe_choice(job, metrics),
            *describe_policy(metrics),
            *describe_transfer(metrics),
        ),
        loss_before=before,
        loss_after=after,
        weights_moved=moved,
        changed_answers=changed,
        answered_items=items,
        right_gained=gained,
    )


def _weights_moved(job: Job, candidate: CandidateFacts | None) -> bool | None:
    """Artifacts are addressed by their content: equal digests are equal weights."""
    if candidate is None or job.facts.warm_start is None:
        return None
    return candidate.artifact.digest != job.facts.warm_start.artifact.digest


def _changed_answers(
    evaluation: EvaluationCompleted, metrics: dict[str, float]
) -> tuple[int | None, int | None]:
    """On the suite, and for an update on the corrections too: one may leave the suite alone."""
    counted = [
        (evaluation.changed_answers, evaluation.answered_items),
        (metrics.get(CHANGED_ANSWERS), metrics.get(LEARNT_ITEMS)),
    ]
    known = [(int(c), int(n)) for c, n in counted if c is not None and n is not None]
    if not known:
        return None, None
    return sum(changed for changed, _ in known), sum(items for _, items in known)


def _right_gained(evaluation: EvaluationCompleted, metrics: dict[str, float]) -> int | None:
    whole = evaluation.comparison.get(ALL_ITEMS)
    suite = whole.candidate_only - whole.deployed_only if whole else None
    before, after = metrics.get(NEW_ITEMS_RIGHT_BEFORE), metrics.get(NEW_ITEMS_RIGHT_AFTER)
    own = int(after - before) if before is not None and after is not None else None
    known = [gain for gain in (suite, own) if gain is not None]
    return sum(known) if known else None


def _describe(
    before: float | None,
    after: float | None,
    moved: bool | None,
    changed: int | None,
    items: int | None,
    gained: int | None,
) -> tuple[str, ...]:
    sentences = []
    if before is not None and after is not None:
        direction = "fell" if after < before else "did not fall"
        sentences.append(f"the loss {direction} ({before:.3g} to {after:.3g})")
    if moved is not None:
        sentences.append("weights moved" if moved else "no weight moved")
    if changed is not None:
        sentences.append(f"{changed} of {items} answers changed")
    if gained is not None:
        sentences.append(f"{gained:+d} right answers")
    return tuple(sentences)


def describe_policy(metrics: Mapping[str, float]) -> tuple[str, ...]:
    """What a policy learnt from rewards would have earned, and how well that is known."""
    sentences = []
    if (missing := metrics.get(WITHOUT_PROPENSITY)) and REWARDED_ITEMS in metrics:
        sentences.append(
            f"{missing:.0f} of {metrics[REWARDED_ITEMS]:.0f} rewards name no propensity, and count "
            "by a model of the rewards alone"
        )
    names = (POLICY_VALUE, POLICY_VALUE_LOW, POLICY_VALUE_HIGH, LOGGED_REWARD, HELD_OUT_LOGS)
    if all(name in metrics for name in names):
        value, low, high, logged, logs = (metrics[name] for name in names)
        sentences.append(
            f"on {logs:.0f} held-out logs it would have earned {value:.2f} an answer "
            f"({low:.2f} to {high:.2f}), those who answered earned {logged:.2f}"
        )
    return tuple(sentences)


def describe_transfer(metrics: Mapping[str, float]) -> tuple[str, ...]:
    """Whether a transfer beats the same training from other starts, and no training at all."""
    if TRANSFER_ACCURACY not in metrics:
        return ()
    sentences = []
    for start, name in OTHER_STARTS.items():
        accuracy, p_value = metrics.get(f"{start}_accuracy"), metrics.get(f"{start}_p_value")
        if accuracy is not None and p_value is not None:
            beats = "better than" if p_value <= MAXIMUM_P_VALUE else "not shown to be better than"
            sentences.append(f"{beats} {name} ({accuracy:.1%}, p = {p_value:.2g})")
    items, own = metrics.get(TRANSFER_ITEMS, 0.0), metrics[TRANSFER_ACCURACY]
    return (
        f"transfer: right in {own:.1%} of {items:.0f} validation items; {', '.join(sentences)}",
    )


def _describe_choice(job: Job, metrics: Mapping[str, float]) -> tuple[str, ...]:
    """Closed form and fine-tuning compared, where a run tried both."""
    if job.replaced_candidate is not None:
        return (f"the gate took the closed form: {job.replaced_candidate.reason}",)
    names = (CLOSED_FORM_ACCURACY, FINE_TUNED_ACCURACY, CLOSED_FORM_SECONDS, FINE_TUNED_SECONDS)
    if any(name not in metrics for name in names):
        return ()
    free, tuned, free_seconds, tuned_seconds = (metrics[name] for name in names)
    taken = "fine-tuning" if metrics.get(FINE_TUNED_CHOSEN) else "the closed form"
    return (
        f"{taken} was taken: closed form {free:.1%} in {free_seconds:.1f} s, "
        f"fine-tuned {tuned:.1%} in {tuned_seconds:.1f} s, of the same validation items",
    )
