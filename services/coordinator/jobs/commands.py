"""The command of each job state, built from the results of the stages before it."""

from __future__ import annotations

from typing import Final, TypeVar

from pydantic import JsonValue

from archon_contracts.base import Contract
from archon_contracts.commands import (
    DeployModel,
    EvaluateModel,
    PlanCurriculum,
    PrepareDataset,
    RefusedAttempt,
    RegisterModel,
    RunSummary,
    TrainModel,
)
from archon_contracts.events import JobState, TriggerReason
from archon_contracts.values import AgentKind, ArtifactRef, RetentionStrategy, TrainingMethod
from services.coordinator.domain import ConfiguredAgent, Job
from services.coordinator.errors import FactMissing

F = TypeVar("F")

MINIMUM_REFERENCE_ITEMS: Final = 30
"""Protected reference items that a window's version needs to be deployed by itself: fewer
cannot show the loss of a tenth."""


def build_command(job: Job, agent: ConfiguredAgent, *, revision: str) -> Contract:
    """The command of the job's state.

    Raises:
        FactMissing: the state has no command, or an earlier stage left no result.
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
            raise FactMissing(f"a job in state {job.state} has no command")


def _plan(job: Job, agent: ConfiguredAgent) -> PlanCurriculum:
    return PlanCurriculum(
        tenant_id=job.key.tenant_id,
        agent_id=job.key.agent_id,
        job_id=job.job_id,
        kind=agent.profile.kind,
        method=job.method,
        new_items=job.facts.new_items,
        success_rate=job.facts.success_rate,
        rated_items=job.facts.rated_items,
        replay_ratio=job.config.replay_ratio,
        staged=agent.profile.curriculum.staged,
        skills=agent.profile.curriculum.skills,
    )


def _prepare(job: Job, agent: ConfiguredAgent) -> PrepareDataset:
    command = PrepareDataset(
        tenant_id=job.key.tenant_id,
        agent_id=job.key.agent_id,
        job_id=job.job_id,
        kind=agent.profile.kind,
        sources=job.facts.sources,
        plan=_require(job.facts.plan, "plan"),
        rehearse=job.facts.retention is RetentionStrategy.REHEARSAL,
        evaluation_suite=agent.profile.evaluation_suite,
        catalogue=agent.profile.catalogue,
        labels=agent.profile.labels,
        trust=agent.profile.trust,
        data=agent.profile.data,
        method=job.method,
        seed=job.config.effective_seed,
        withdrawal=job.is_withdrawal,
    )
    if job.is_update:
        # A window weighs contradicted items down, beside many others. Here there are no others.
        trust = agent.profile.trust.model_copy(update={"contradicted_weight": 0.0})
        return command.model_copy(update={"trust": trust, "fast_path": True})
    split = job.config.validation_split
    return command if split is None else command.model_copy(update={"validation_proportion": split})


def _train(job: Job, agent: ConfiguredAgent) -> TrainModel:
    rehearses = job.facts.retention is RetentionStrategy.REHEARSAL
    return TrainModel(
        tenant_id=job.key.tenant_id,
        agent_id=job.key.agent_id,
        job_id=job.job_id,
        attempt=job.attempt,
        kind=agent.profile.kind,
        # A rehearsal starts from the base model, like a first training.
        method=TrainingMethod.SUPERVISED if rehearses else job.method,
        base_model=agent.profile.base_model,
        warm_start=job.facts.warm_start,
        source=job.facts.source,
        dataset=_require(job.facts.dataset, "dataset").artifact,
        catalogue=agent.profile.catalogue,
        labels=agent.profile.labels,
        plan=job.facts.plan,
        retention=job.facts.retention,
        config=job.config,
        fast_path=job.is_update,
        withdrawal=job.is_withdrawal,
    )


def _evaluate(job: Job, agent: ConfiguredAgent) -> EvaluateModel:
    # The test part of a window is made of feedback: whoever sent that wrote the test.
    trusted = agent.profile.evaluation_suite or job.facts.provided_dataset
    dataset = _require(job.facts.dataset, "dataset").artifact
    return EvaluateModel(
        tenant_id=job.key.tenant_id,
        agent_id=job.key.agent_id,
        job_id=job.job_id,
        # The evaluator drops a command that is not newer than the last, so each counts one more.
        attempt=job.facts.evaluation_attempts,
        kind=agent.profile.kind,
        candidate=_require(job.facts.candidate, "candidate").artifact,
        deployed=agent.deployed,
        base_model=agent.profile.base_model,
        closed_form=_closed_form(job),
        catalogue=agent.profile.catalogue,
        items=agent.profile.evaluation_suite or dataset,
        new_labels=_new_labels(job, agent),
        # The gate of an update reads what it teaches in `update`.
        trained_on=None if job.is_update else dataset,
        gate=agent.profile.gate,
        update=dataset if job.is_update else None,
        fast_path=agent.profile.fast_path,
        withdrawal=job.is_withdrawal,
        minimum_reference_items=0 if trusted else MINIMUM_REFERENCE_ITEMS,
        run=_summarise(job),
    )


def _closed_form(job: Job) -> ArtifactRef | None:
    """What a fine-tuned candidate must beat."""
    candidate = _require(job.facts.candidate, "candidate")
    return candidate.closed_form.artifact if candidate.closed_form else None


def _new_labels(job: Job, agent: ConfiguredAgent) -> ArtifactRef | None:
    """The dataset that asks for labels which a classifier's suite does not ask."""
    profile = agent.profile
    if profile.kind is not AgentKind.CLASSIFIER or profile.evaluation_suite is None:
        return None
    return _require(job.facts.dataset, "dataset").artifact


def _summarise(job: Job) -> RunSummary:
    """How the job's candidate was made, for the report."""
    facts, candidate = job.facts, _require(job.facts.candidate, "candidate")
    return RunSummary(
        method=job.method,
        strategy=facts.retention,
        fast_path=job.is_update,
        parent_version=facts.warm_start.version if facts.warm_start else None,
        replay_ratio=facts.plan.replay_ratio if facts.plan else None,
        new_items=facts.new_items,
        training_items=facts.dataset.training_items if facts.dataset else None,
        left_out=facts.dataset.left_out if facts.dataset else None,
        steps=candidate.steps,
        training_seconds=candidate.seconds,
        metrics=candidate.metrics,
        replaced=job.replaced_candidate.reason if job.replaced_candidate else "",
        refused=tuple(
            RefusedAttempt(
                strategy=step.strategy, replay_ratio=step.replay_ratio, reason=step.reason
            )
            for step in facts.escalations
        ),
    )


def _register(job: Job, agent: ConfiguredAgent, revision: str) -> RegisterModel:
    dataset = _require(job.facts.dataset, "dataset")
    evaluation = _require(job.facts.evaluation, "evaluation")
    return RegisterModel(
        tenant_id=job.key.tenant_id,
        agent_id=job.key.agent_id,
        job_id=job.job_id,
        kind=agent.profile.kind,
        artifact=_require(job.facts.candidate, "candidate").artifact,
        parent_version=job.facts.warm_start.version if job.facts.warm_start else None,
        dataset_id=dataset.dataset_id,
        dataset=dataset.artifact,
        evaluation_id=evaluation.evaluation_id,
        metrics=evaluation.accuracy,
        lineage=_lineage(job, agent, revision),
    )


def _lineage(job: Job, agent: ConfiguredAgent, revision: str) -> dict[str, JsonValue]:
    """All that is needed to explain the version and to train it again."""
    facts = job.facts
    dataset = _require(facts.dataset, "dataset")
    candidate = _require(facts.candidate, "candidate")
    lineage: dict[str, JsonValue] = {
        "method": job.method.value,
        "base_model": agent.profile.base_model,
        "config": job.config.model_dump(mode="json", exclude_none=True),
        "seed": job.config.effective_seed,
        "attempt": job.attempt,
        "retention": facts.retention.value,
        "steps": candidate.steps,
        "dataset_digest": dataset.artifact.digest,
        "dataset_version": dataset.version,
        "library_versions": dict(candidate.library_versions),
        "training_metrics": dict(candidate.metrics),
        "requested_by": job.requested_by,
        "revision": revision,
    }
    if facts.source is not None:
        lineage |= {
            "source_agent": facts.source_agent,
            "source_version": facts.source.version,
            "source_digest": facts.source.artifact.digest,
        }
    if job.replaced_candidate is not None:
        # The refused model stays in the store: what it was is a matter of record.
        replaced = job.replaced_candidate.model_dump(mode="json", include={"artifact", "reason"})
        lineage["replaced_candidate"] = replaced
    if (artifact := _require(facts.evaluation, "evaluation").artifact) is not None:
        # Predictions and changes: what the version's report is made of.
        lineage["evaluation"] = artifact.model_dump(mode="json")
    if facts.window is not None:
        lineage |= {
            "window_id": str(facts.window.window_id),
            "trigger": facts.window.reason.value,
            "feedback_count": facts.window.feedback_count,
            "feedback_digest": facts.window.feedback_digest,
            "fast_path": facts.window.fast_path,
        }
    if facts.withdrawal is not None:
        lineage |= {"withdrawn_items": facts.withdrawal.items, "fast_path": job.is_update}
    return lineage


def _deploy(job: Job) -> DeployModel:
    evaluation = _require(job.facts.evaluation, "evaluation")
    return DeployModel(
        tenant_id=job.key.tenant_id,
        agent_id=job.key.agent_id,
        model_version=_require(job.facts.model, "model").version,
        reason="; ".join(evaluation.reasons) or "the gate passed it",
        job_id=job.job_id,
        compared_with=evaluation.compared_with,
        requested_by=f"system (job {job.job_id}, {_requester(job)})",
        at_once=job.is_update or job.is_withdrawal,
    )


def _requester(job: Job) -> str:
    """What started the job: its trigger, or who requested it."""
    window = job.facts.window
    if job.is_withdrawal:
        return "withdrawal"
    if job.is_update:
        return "fast path"
    if window is not None and window.reason is not TriggerReason.MANUAL:
        return f"trigger {window.reason}"
    return "requested" if job.requested_by is None else f"requested by {job.requested_by}"


def _require(fact: F | None, name: str) -> F:
    if fact is None:
        raise FactMissing(f"the job has no {name} yet, though its state needs one")
    return fact
