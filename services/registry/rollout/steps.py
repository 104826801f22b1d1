"""What follows from an experiment's counts: go on, more traffic, or an end with its reason."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from archon_contracts.latency_buckets import BUCKETS_PER_OCTAVE
from archon_contracts.rules.rollout_policy import UndecidedExperiment
from services.registry.rollout.decisions import (
    ExperimentDesign,
    ExperimentEvidence,
    Finding,
    RegressionDesign,
    weigh,
)
from services.registry.rollout.experiments import (
    ArmCounts,
    ExperimentKind,
    ExperimentState,
    VersionComparison,
)
from services.registry.statistics.outcomes import Outcomes
from services.registry.statistics.sample_ratio import log_mismatch

OUTCOME: Final = "outcome"
ERROR_RATE: Final = "error_rate"
SLOW_RATE: Final = "slow_rate"

LONGEST_GUARD: Final = 1_000_000
"""Answers during which failures and latency are compared; the critical value grows with its
logarithm only."""
SLOW_PROPORTION: Final = 0.05
"""Answers of the control that are called slow: a latency beyond its 95th percentile."""
LATER_SLOWER: Final = 2.0
"""In a watch slow is beyond so many times that percentile: its versions answer one after the other,
and a machine that has more to do makes any version slower."""
LATER_PROPORTION: Final = 0.1
"""Answers of a watched version that must be slow: those of its first seconds, with cold caches and
beside its own deployment, are among them for as long as it is watched."""
SETTLING: Final = timedelta(minutes=5)
"""After which a watch compares latencies, so that the first seconds are a small part."""
MISMATCH_ALPHA: Final = 1e-4
MISMATCH_TOLERANCE: Final = 0.05
"""Deviation of the traffic's division that ends nothing: a unit may ask more than others."""


@dataclass(frozen=True, slots=True)
class Stay:
    """Nothing follows yet."""


@dataclass(frozen=True, slots=True)
class Advance:
    """The canary gets its next part of the traffic."""

    reason: str


@dataclass(frozen=True, slots=True)
class End:
    """The experiment ends; `regressed` names the metric that got worse, if one did."""

    state: ExperimentState
    reason: str
    regressed: str = ""


Step = Stay | Advance | End


@dataclass(frozen=True, slots=True)
class Regression:
    """A proportion or mean of good answers that fell, and the counts that show it."""

    metric: str
    before: Outcomes
    now: Outcomes


def choose_step(
    experiment: VersionComparison, now: datetime, *, may_roll_back: bool = True
) -> Step:
    """What follows at this look. Harm comes first, then time, then a decision."""
    if experiment.kind is ExperimentKind.WATCH:
        return _watch(experiment, now, may_roll_back=may_roll_back)
    step = _guard(experiment, now)
    if isinstance(step, Stay):
        step = _compare(experiment)
    if isinstance(step, Stay) and now >= experiment.deadline_at:
        return _time_over(experiment)
    return step


def find_regression(
    experiment: VersionComparison, now: datetime, *, alpha: float, last: int
) -> Regression | None:
    """The first of outcome, failures and latency that got significantly worse."""
    control, treatment = experiment.control_counts, experiment.treatment_counts
    pairs = [
        Regression(OUTCOME, control.scored, treatment.scored),
        Regression(ERROR_RATE, _answered(control), _answered(treatment)),
    ]
    if experiment.kind is not ExperimentKind.WATCH:
        pairs.append(Regression(SLOW_RATE, *_fast(control, treatment)))
    elif now - experiment.started_at >= SETTLING:
        slow = round(math.log2(LATER_SLOWER) * BUCKETS_PER_OCTAVE)
        pairs.append(Regression(SLOW_RATE, *_fast(control, treatment, beyond=slow)))
    for pair in pairs:
        design = _regression_design(alpha, last if pair.metric == OUTCOME else LONGEST_GUARD)
        if _is_material(experiment, pair) and design.shows_regression(pair.before, pair.now):
            return pair
    return None


def _is_material(experiment: VersionComparison, pair: Regression) -> bool:
    is_of_watch = experiment.kind is ExperimentKind.WATCH and pair.metric == SLOW_RATE
    return not is_of_watch or 1 - pair.now.mean > LATER_PROPORTION


def evidence_of(experiment: VersionComparison) -> ExperimentEvidence:
    """What the scored answers say at this look."""
    design = design_of(experiment)
    control, treatment = experiment.control_counts.scored, experiment.treatment_counts.scored
    return weigh(design, control, treatment, experiment.harm.log_e)


def design_of(experiment: VersionComparison) -> ExperimentDesign:
    """The design that the experiment began with."""
    return _experiment_design(experiment.policy.alpha, experiment.policy.maximum_answers)


# Critical values are found by bisection: once per policy, not per look.
@lru_cache(maxsize=256)
def _experiment_design(alpha: float, last: int) -> ExperimentDesign:
    return ExperimentDesign(alpha, last)


@lru_cache(maxsize=256)
def _regression_design(alpha: float, last: int) -> RegressionDesign:
    return RegressionDesign(alpha, last)


def _watch(experiment: VersionComparison, now: datetime, *, may_roll_back: bool) -> Step:
    policy = experiment.policy
    regression = find_regression(
        experiment, now, alpha=policy.rollback_alpha, last=policy.rollback_answers
    )
    if regression is not None and may_roll_back:
        return End(
            ExperimentState.ROLLED_BACK,
            describe_regression(experiment, regression),
            regression.metric,
        )
    if regression is not None and now < experiment.deadline_at:
        return Stay()  # after the cooldown it is looked at again
    if regression is not None:
        what = describe_regression(experiment, regression)
        return End(ExperimentState.KEPT, f"{what}; a rollback shortly before kept it deployed")
    if experiment.treatment_counts.scored.count >= policy.rollback_answers:
        reason = f"no metric got worse in {policy.rollback_answers} scored answers"
        return End(ExperimentState.KEPT, reason)
    if now >= experiment.deadline_at:
        return End(ExperimentState.KEPT, "no metric got worse in the time that it was watched")
    return Stay()


def _guard(experiment: VersionComparison, now: datetime) -> Step:
    """What ends an experiment at once, whatever its scored answers say."""
    if experiment.policy.guardrails and experiment.kind is not ExperimentKind.SHADOW:
        policy = experiment.policy
        regression = find_regression(
            experiment, now, alpha=policy.rollback_alpha, last=policy.maximum_answers
        )
        if regression is not None and regression.metric != OUTCOME:
            reason = describe_regression(experiment, regression)
            return End(ExperimentState.KEPT, reason, regression.metric)
    if experiment.kind is ExperimentKind.AB_TEST:
        return _check_division(experiment)
    return Stay()


def _check_division(experiment: VersionComparison) -> Step:
    if experiment.divided_from is None:
        return Stay()
    controls, treated = experiment.divided_from
    treated = experiment.treatment_counts.interactions - treated
    answers = treated + experiment.control_counts.interactions - controls
    if not answers or abs(treated / answers - experiment.share) <= MISMATCH_TOLERANCE:
        return Stay()
    if log_mismatch(treated, answers, experiment.share) < -math.log(MISMATCH_ALPHA):
        return Stay()
    return End(
        ExperimentState.KEPT,
        f"the candidate answered {treated} of {answers} requests where its part is "
        f"{experiment.share:g}: agents do not divide their traffic as AgentConfiguration says, so "
        "no comparison is fair",
    )


def _compare(experiment: VersionComparison) -> Step:
    if experiment.kind is ExperimentKind.SHADOW:
        return Stay()
    evidence = evidence_of(experiment)
    if experiment.kind is ExperimentKind.CANARY:
        return _next_canary_step(experiment, evidence)
    match evidence.decide():
        case Finding.WORSE:
            return End(
                ExperimentState.KEPT, f"the candidate is worse: {_means(experiment)}", OUTCOME
            )
        case Finding.BETTER:
            return End(ExperimentState.PROMOTED, f"the candidate is better: {_means(experiment)}")
        case Finding.FUTILE:
            why = "no difference that this experiment could still show"
            return _undecided(experiment, f"{why}: {_means(experiment)}")
        case Finding.OPEN:
            return Stay()


def _next_canary_step(experiment: VersionComparison, evidence: ExperimentEvidence) -> Step:
    if evidence.is_worse:
        return End(ExperimentState.KEPT, f"the candidate is worse: {_means(experiment)}", OUTCOME)
    scored = experiment.treatment_counts.scored.count - experiment.step_scored
    if scored < experiment.policy.step_answers:
        return Stay()
    seen = f"{scored:g} scored answers with {experiment.share:g} of the traffic, nothing got worse"
    if experiment.step < len(experiment.policy.canary_shares):
        return Advance(f"{seen}: {_means(experiment)}")
    return End(ExperimentState.PROMOTED, f"{seen}: {_means(experiment)}")


def _time_over(experiment: VersionComparison) -> Step:
    days = experiment.policy.maximum_seconds / 86_400
    if experiment.kind is ExperimentKind.SHADOW:
        reason = f"it answered as a shadow for {days:g} days; a person decides on its deployment"
        return End(ExperimentState.KEPT, reason)
    why = f"it was not decided in {days:g} days"
    if experiment.kind is ExperimentKind.CANARY:
        return End(
            ExperimentState.KEPT, f"{why}, too few answers were scored: {_means(experiment)}"
        )
    return _undecided(experiment, f"{why}: {_means(experiment)}")


def _undecided(experiment: VersionComparison, reason: str) -> End:
    if experiment.policy.undecided is UndecidedExperiment.PROMOTE:
        return End(
            ExperimentState.PROMOTED, f"{reason}; the policy promotes it, the gate passed it"
        )
    return End(ExperimentState.KEPT, f"{reason}; the policy keeps the deployed version")


def describe_regression(experiment: VersionComparison, regression: Regression) -> str:
    """What was seen, in one sentence."""
    before, now = regression.before, regression.now
    if regression.metric == OUTCOME:
        seen = f"mean outcome {now.mean:.3f} of {now.count:g} scored answers"
        was = f"{before.mean:.3f} of {before.count:g}"
    else:
        seen = f"{regression.metric} {1 - now.mean:.3f} of {now.count:g} answers"
        was = f"{1 - before.mean:.3f} of {before.count:g}"
    return (
        f"version {experiment.treatment.version} got worse: {seen}, where version "
        f"{experiment.control.version} had {was}"
    )


def _means(experiment: VersionComparison) -> str:
    control, treatment = experiment.control_counts.scored, experiment.treatment_counts.scored
    return (
        f"mean outcome {treatment.mean:.3f} of {treatment.count:g} scored answers of "
        f"{experiment.treatment.version}, {control.mean:.3f} of {control.count:g} of "
        f"{experiment.control.version}"
    )


def _answered(counts: ArmCounts) -> Outcomes:
    """Logged answers, those without an error as good ones."""
    return Outcomes.of_binary(counts.interactions, counts.interactions - counts.failed)


def _fast(before: ArmCounts, now: ArmCounts, beyond: int = 0) -> tuple[Outcomes, Outcomes]:
    """Answers with a latency, those up to `beyond` buckets above the control's 95th percentile as
    good ones."""
    limit = _slowest_normal_bucket(before) + beyond
    return _within(before, limit), _within(now, limit)


def _within(counts: ArmCounts, limit: int) -> Outcomes:
    """Answers with a latency, those in buckets up to `limit` as good ones."""
    good = sum(count for bucket, count in counts.latencies.items() if bucket <= limit)
    return Outcomes.of_binary(sum(counts.latencies.values()), good)


def _slowest_normal_bucket(counts: ArmCounts) -> int:
    left = sum(counts.latencies.values()) * (1 - SLOW_PROPORTION)
    for bucket in sorted(counts.latencies):
        left -= counts.latencies[bucket]
        if left <= 0:
            return bucket
    return 0
