"""What a job orders in each state: the command, made from what its stages found out."""

from __future__ import annotations

from typing import TypeVar

from pydantic import JsonValue

from archon_contracts.base import Contract
from archon_contracts.commands import (
    DeployModel,
    EvaluateModel,
    PlanCurriculum,
    PrepareDataset,
    RegisterModel,
    TrainModel,
)
from archon_contracts.events import JobState, TriggerReason
from services.coordinator.domain import Agent, Job
from services.coordinator.errors import FactMissing

F = TypeVar("F")
ISSUES_APART = 1_000  # more than a command is ever issued again before its live version changes


def command_of(job: Job, agent: Agent, *, revision: str) -> Contract:
    """The command of the job's state.

    Raises:
        FactMissing: the state orders nothing, or an earlier stage left no answer.
    """
    match job.state:
        case JobState.PLANNING:
            return _plan(job, agent)
        case JobState.PREPARING:
            return _prepare(job, agent)
        case JobState.TRAINING:
            return _train(job, agent)
        case JobState.EVALUATING:
            return _evaluate(job, agent)
        case JobState.REGISTERING:
            return _register(job, agent, revision)
        case JobState.ROLLING_OUT:
            return _deploy(job)
        case _:
            raise FactMissing(f"a job in state {job.state} orders nothing")


def _plan(job: Job, agent: Agent) -> PlanCurriculum:
    return PlanCurriculum(
        tenant_id=job.key.tenant_id,
        agent_id=job.key.agent_id,
        job_id=job.job_id,
        kind=agent.profile.kind,
        method=job.method,
        new_items=job.facts.new_items,
        success_rate=job.facts.success_rate,
        replay_share=job.config.replay_share,
    )


def _prepare(job: Job, agent: Agent) -> PrepareDataset:
    command = PrepareDataset(
        tenant_id=job.key.tenant_id,
        agent_id=job.key.agent_id,
        job_id=job.job_id,
        kind=agent.profile.kind,
        sources=job.facts.sources,
        plan=_known(job.facts.plan, "plan"),
        evaluation_suite=agent.profile.evaluation_suite,
        catalogue=agent.profile.catalogue,
        labels=agent.profile.labels,
        trust=agent.profile.trust,
        seed=job.config.seed,
    )
    share = job.config.validation_split
    return command if share is None else command.model_copy(update={"validation_share": share})


def _train(job: Job, agent: Agent) -> TrainModel:
    return TrainModel(
        tenant_id=job.key.tenant_id,
        agent_id=job.key.agent_id,
        job_id=job.job_id,
        attempt=job.attempt,
        kind=agent.profile.kind,
        method=job.method,
        base_model=agent.profile.base_model,
        parent=job.facts.parent,
        dataset=_known(job.facts.dataset, "dataset").artifact,
        catalogue=agent.profile.catalogue,
        labels=agent.profile.labels,
        plan=job.facts.plan,
        config=job.config,
    )


def _evaluate(job: Job, agent: Agent) -> EvaluateModel:
    return EvaluateModel(
        tenant_id=job.key.tenant_id,
        agent_id=job.key.agent_id,
        job_id=job.job_id,
        # The evaluator drops what is not newer, so a command sent again counts one more.
        attempt=job.attempt + job.issues - 1 + job.facts.live_changes * ISSUES_APART,
        kind=agent.profile.kind,
        candidate=_known(job.facts.candidate, "candidate").artifact,
        live=agent.live,
        base_model=None if agent.live else agent.profile.base_model,
        catalogue=agent.profile.catalogue,
        items=agent.profile.evaluation_suite or _known(job.facts.dataset, "dataset").artifact,
        gate=agent.profile.gate,
    )


def _register(job: Job, agent: Agent, revision: str) -> RegisterModel:
    dataset = _known(job.facts.dataset, "dataset")
    evaluation = _known(job.facts.evaluation, "evaluation")
    return RegisterModel(
        tenant_id=job.key.tenant_id,
        agent_id=job.key.agent_id,
        job_id=job.job_id,
        kind=agent.profile.kind,
        artifact=_known(job.facts.candidate, "candidate").artifact,
        parent_version=job.facts.parent.version if job.facts.parent else None,
        dataset_id=dataset.dataset_id,
        dataset=dataset.artifact,
        evaluation_id=evaluation.evaluation_id,
        metrics=evaluation.accuracy,
        lineage=_lineage(job, agent, revision),
    )


def _lineage(job: Job, agent: Agent, revision: str) -> dict[str, JsonValue]:
    """All that is needed to explain the version and to train it again."""
    facts = job.facts
    dataset = _known(facts.dataset, "dataset")
    candidate = _known(facts.candidate, "candidate")
    lineage: dict[str, JsonValue] = {
        "method": job.method.value,
        "base_model": agent.profile.base_model,
        "config": job.config.model_dump(mode="json", exclude_none=True),
        "seed": job.config.seed,
        "attempt": job.attempt,
        "steps": candidate.steps,
        "dataset_digest": dataset.artifact.digest,
        "dataset_version": dataset.version,
        "library_versions": dict(candidate.library_versions),
        "training_metrics": dict(candidate.metrics),
        "requested_by": job.requested_by,
        "revision": revision,
    }
    if facts.window is not None:
        lineage |= {
            "window_id": str(facts.window.window_id),
            "trigger": facts.window.reason.value,
            "feedback_count": facts.window.feedback_count,
            "feedback_digest": facts.window.feedback_digest,
        }
    return lineage


def _deploy(job: Job) -> DeployModel:
    evaluation = _known(job.facts.evaluation, "evaluation")
    return DeployModel(
        tenant_id=job.key.tenant_id,
        agent_id=job.key.agent_id,
        model_version=_known(job.facts.model, "model").version,
        reason="; ".join(evaluation.reasons) or "the gate passed it",
        job_id=job.job_id,
        judged_against=evaluation.compared_with,
        requested_by=f"system (job {job.job_id}, {_origin(job)})",
    )


def _origin(job: Job) -> str:
    """What started the job: its trigger, or who asked for it."""
    window = job.facts.window
    if window is not None and window.reason is not TriggerReason.MANUAL:
        return job.requested_by
    return f"asked for by {job.requested_by}"


def _known(fact: F | None, name: str) -> F:
    if fact is None:
        raise FactMissing(f"the job has no {name} yet, though its state needs one")
    return fact
