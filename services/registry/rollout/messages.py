"""Events of experiments, and what the audit log holds of them."""

from __future__ import annotations

from datetime import datetime

from archon_contracts.events import (
    AuditAction,
    ExperimentAdvanced,
    ExperimentConcluded,
    ExperimentMeasured,
    ExperimentOutcome,
    ExperimentStarted,
    RegressionDetected,
)
from archon_contracts.rollouts.experiment import ArmReport
from archon_contracts.values import Estimate, ModelRef
from services.registry.domain import Deployment
from services.registry.rollout.decisions import FEWEST_ANSWERS
from services.registry.rollout.experiments import (
    ArmCounts,
    ExperimentKind,
    ExperimentState,
    VersionComparison,
)
from services.registry.rollout.steps import OUTCOME, Regression, design_of, evidence_of
from services.registry.statistics.feedback_rates import rates_differ_p_value
from services.registry.statistics.outcomes import Outcomes, square_root
from services.registry.statistics.sample_ratio import mismatch_p_value
from services.registry.statistics.sequences import (
    Interval,
    asymptotic_sequence,
    mean_variance,
)
from services.registry.statistics.stopped_estimates import stopped_estimate
from services.registry.statistics.weighted_outcomes import NORMAL_975, self_normalized_mean
from shared.audit import AuditEntry

_OUTCOMES = {
    ExperimentState.PROMOTED: ExperimentOutcome.PROMOTED,
    ExperimentState.KEPT: ExperimentOutcome.KEPT,
    ExperimentState.CANCELLED: ExperimentOutcome.CANCELLED,
}


def started_event(experiment: VersionComparison, reason: str) -> ExperimentStarted:
    """The event that a candidate gets traffic, with the comparison's arms and division."""
    return ExperimentStarted(
        tenant_id=experiment.tenant_id,
        agent_id=experiment.agent_id,
        experiment_id=experiment.experiment_id,
        control=experiment.control,
        treatment=experiment.treatment,
        treatment_proportion=experiment.share,
        mode=experiment.kind,
        job_id=experiment.job_id,
        reason=reason,
    )


def advanced_event(experiment: VersionComparison, reason: str) -> ExperimentAdvanced:
    """The event that a canary gets more traffic."""
    return ExperimentAdvanced(
        tenant_id=experiment.tenant_id,
        agent_id=experiment.agent_id,
        experiment_id=experiment.experiment_id,
        treatment_proportion=experiment.share,
        step=experiment.step,
        reason=reason,
    )


def measured_event(experiment: VersionComparison, at: datetime) -> ExperimentMeasured:
    """The event of what an experiment shows at this look."""
    control, treatment = experiment.control_counts, experiment.treatment_counts
    harm = experiment.harm.log_e
    return ExperimentMeasured(
        tenant_id=experiment.tenant_id,
        agent_id=experiment.agent_id,
        experiment_id=experiment.experiment_id,
        measured_at=at,
        treatment_proportion=experiment.share,
        arms=(_report(experiment.control, control), _report(experiment.treatment, treatment)),
        difference=_sequence(experiment),
        harm_log_e_value=harm,
        harm_log_limit=design_of(experiment).harm_log_e,
        division_p_value=_division_p_value(experiment),
        feedback_rate_p_value=rates_differ_p_value(
            control.scored.count,
            control.interactions,
            treatment.scored.count,
            treatment.interactions,
        ),
    )


def concluded_event(ended: VersionComparison, deployed: str) -> ExperimentConcluded:
    """The event that an experiment ended; `deployed` is the version that goes on."""
    return ExperimentConcluded(
        tenant_id=ended.tenant_id,
        agent_id=ended.agent_id,
        experiment_id=ended.experiment_id,
        winner=deployed,
        difference=_difference(ended),
        reason=ended.reason,
        outcome=_OUTCOMES[ended.state],
        mode=ended.kind,
        arms=(
            _report(ended.control, ended.control_counts),
            _report(ended.treatment, ended.treatment_counts),
        ),
        job_id=ended.job_id,
    )


def regression_event(
    experiment: VersionComparison, regression: Regression, reason: str
) -> RegressionDetected:
    """The event that a metric of the newer version got significantly worse."""
    return RegressionDetected(
        tenant_id=experiment.tenant_id,
        agent_id=experiment.agent_id,
        model_version=experiment.treatment.version,
        metric=regression.metric,
        before=_estimate_metric(regression, regression.before),
        now=_estimate_metric(regression, regression.now),
        previous_version=experiment.control.version,
        reason=reason,
    )


def promoted_entry(experiment: VersionComparison, change: Deployment) -> AuditEntry:
    """The audit log's entry of a candidate that is deployed because its experiment ended so."""
    return AuditEntry(
        tenant_id=experiment.tenant_id,
        actor=change.actor,
        action=AuditAction.DEPLOYED,
        agent_id=experiment.agent_id,
        subject=change.version,
        reason=change.reason,
        details={
            "digest": experiment.treatment.artifact.digest,
            "previous_version": experiment.control.version,
            "revision": str(change.revision),
            "experiment_id": str(experiment.experiment_id),
            "job_id": str(experiment.job_id),
        },
    )


def _report(model: ModelRef, counts: ArmCounts) -> ArmReport:
    scored = round(counts.scored.count)
    rate = scored / counts.interactions if counts.interactions else None
    return ArmReport(
        model=model,
        scored=scored,
        outcome=_estimate(counts.scored) if scored else None,
        weighted_outcome=_weighted_estimate(counts),
        interactions=counts.interactions,
        failed=counts.failed,
        feedback_rate=rate,
    )


def _weighted_estimate(counts: ArmCounts) -> Estimate | None:
    mean = self_normalized_mean(counts.weighted)
    if mean is None:
        return None
    return Estimate(value=mean.value, low=mean.low, high=mean.high, n=round(counts.weighted.count))


def _difference(ended: VersionComparison) -> Estimate | None:
    """The candidate's lead at the end, without the luck of a test that it stopped."""
    control, treatment = ended.control_counts.scored, ended.treatment_counts.scored
    evidence = evidence_of(ended)
    # Only a test that stopped because of its lead has luck in its estimate.
    if not control.count or not treatment.count or not (evidence.is_better or evidence.is_worse):
        return _sequence(ended)
    seen = max(control.count + treatment.count, FEWEST_ANSWERS)
    interval = stopped_estimate(control, treatment, design_of(ended).critical_value(seen))
    return _to_estimate(interval, control, treatment)


def _sequence(experiment: VersionComparison) -> Estimate | None:
    """The difference so far, in a confidence sequence; None: an arm has no scored answer."""
    control = experiment.control_counts.scored
    treatment, policy = experiment.treatment_counts.scored, experiment.policy
    if not control.count or not treatment.count:
        return None
    tuned_at = policy.maximum_answers / 2
    interval = asymptotic_sequence(control, treatment, policy.alpha, tuned_at)
    return _to_estimate(interval, control, treatment)


def _to_estimate(interval: Interval, control: Outcomes, treatment: Outcomes) -> Estimate:
    return Estimate(
        value=interval.value,
        low=interval.low,
        high=interval.high,
        n=round(control.count + treatment.count),
    )


def _division_p_value(experiment: VersionComparison) -> float | None:
    """Of an A/B test, whose part of the traffic is the same from its beginning."""
    if experiment.kind is not ExperimentKind.AB_TEST or experiment.divided_from is None:
        return None
    controls, treated = experiment.divided_from
    treated = experiment.treatment_counts.interactions - treated
    answers = treated + experiment.control_counts.interactions - controls
    return mismatch_p_value(treated, answers, experiment.share)


def _estimate_metric(regression: Regression, outcomes: Outcomes) -> Estimate:
    estimate = _estimate(outcomes)
    if regression.metric == OUTCOME:
        return estimate
    # Failures and slow answers are compared as proportions of good answers.
    return Estimate(
        value=1 - estimate.value, low=1 - estimate.high, high=1 - estimate.low, n=estimate.n
    )


def _estimate(outcomes: Outcomes) -> Estimate:
    """Mean with the 95 % interval of this one moment, for a person to read."""
    mean = outcomes.mean
    radius = NORMAL_975 * square_root(mean_variance(outcomes))
    return Estimate(
        value=mean,
        low=max(0.0, mean - radius),
        high=min(1.0, mean + radius),
        n=round(outcomes.count),
    )
