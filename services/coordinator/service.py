"""Use cases of jobs: one per answer of another service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from archon_contracts.base import Contract
from archon_contracts.events import (
    CurriculumPlanned,
    DatasetPrepared,
    DatasetRejected,
    DeploymentRefused,
    EvaluationCompleted,
    EvaluationFailed,
    ExperimentConcluded,
    ExperimentOutcome,
    ExperimentStarted,
    ModelDeployed,
    ModelRegistered,
    QualityReport,
    TrainingCompleted,
    TrainingFailed,
    TrainingStarted,
    WorkerReported,
)
from archon_contracts.formats import NEGATIVES
from archon_contracts.rules.rollout_policy import RolloutMode
from archon_contracts.values import ALL_ITEMS, Estimate
from services.coordinator.domain import (
    AgentKey,
    CandidateFacts,
    DatasetFacts,
    EvaluationFacts,
    Job,
    JobFacts,
)
from services.coordinator.jobs.escalation import (
    is_answer_of_earlier_candidate,
    is_dataset_of_earlier_rung,
)
from services.coordinator.jobs.learning import assess_learning
from services.coordinator.jobs.lookup import find_expected_job
from services.coordinator.jobs.ports import HasJobId
from services.coordinator.jobs.source_work import needed_source_work
from services.coordinator.jobs.state_machine import JobEvent
from services.coordinator.lifecycle import JobLifecycle
from services.coordinator.ports import JobRecords
from services.coordinator.retraining.agent_queue import AgentQueue
from services.coordinator.retraining.known_answers import describe_waiting
from services.coordinator.retraining.sources import PublishedSources
from services.coordinator.retraining.window_ends import WindowEnds
from services.coordinator.scheduling.slots import SlotAllocator
from shared.logging import get_logger
from shared.messaging.messages import Cause, Message
from shared.postgres.database import Tx

CANDIDATE = "candidate"
MANUAL_REASON = "the agent's rollout mode is manual"

log = get_logger(__name__)


class JobService:
    """The use cases; every one runs in the transaction of its message.

    A message for another state, another attempt or an unknown job is logged and changes nothing.
    """

    def __init__(
        self,
        records: JobRecords,
        lifecycle: JobLifecycle,
        agent_queue: AgentQueue,
        slots: SlotAllocator,
        window_ends: WindowEnds,
    ) -> None:
        self._window_ends = window_ends
        self._records = records
        self._lifecycle = lifecycle
        self._agent_queue = agent_queue
        self._slots = slots

    async def record_plan(self, tx: Tx, message: Message[CurriculumPlanned]) -> None:
        """Have a dataset prepared; first the window is exported, as leased work."""
        job = await self._find_expected(tx, message.body, JobEvent.PLANNED)
        if job is not None:
            facts = job.facts.model_copy(update={"plan": message.body.plan})
            await self._lifecycle.advance(tx, job, JobEvent.PLANNED, message.cause, facts=facts)

    async def record_sources(
        self, tx: Tx, job_id: UUID, published: PublishedSources, cause: Cause
    ) -> None:
        """Let the job go on with its sources, which lie in the artifact store."""
        job = await self._find_without_sources(tx, job_id)
        if job is None:
            return
        await self._window_ends.set_waiting(tx, job, published.waiting, published.catalogue)
        waiting = published.waiting_by_answer
        if not published.sources:
            reason = describe_waiting(waiting)
            await self._lifecycle.advance(tx, job, JobEvent.GAVE_UP, cause, reason=reason)
            return
        changes: dict[str, Any] = {"sources": published.sources, "waiting": waiting}
        if job.facts.provided_dataset is not None:
            changes["new_items"] = sum(source.items for source in published.sources)
        await self._lifecycle.resume(tx, job, job.facts.model_copy(update=changes), cause)

    async def record_source_failure(self, tx: Tx, job_id: UUID, reason: str, cause: Cause) -> None:
        """End a job whose sources cannot be had."""
        job = await self._find_without_sources(tx, job_id)
        if job is not None:
            await self._lifecycle.advance(tx, job, JobEvent.GAVE_UP, cause, reason=reason)

    async def record_dataset(self, tx: Tx, message: Message[DatasetPrepared]) -> None:
        """Queue the training."""
        body = message.body
        job = await self._find_expected(tx, body, JobEvent.PREPARED)
        if job is None:
            return
        if is_dataset_of_earlier_rung(job, body.dataset_id):
            log.info("dataset_of_earlier_strategy_ignored", job_id=str(job.job_id))
            return
        prepared = JobEvent.UPDATE_PREPARED if job.is_update else JobEvent.PREPARED
        items = body.items.get("train", 0) + body.items.get(NEGATIVES, 0)
        # A withdrawal by subtraction teaches nothing: its dataset lists what leaves.
        if items == 0 and not (job.is_withdrawal and job.is_update):
            reason = f"none of {body.quality.received} items is left to train on; send more"
            await self._fail(tx, job, message, reason, data_at_fault=True)
            return
        dataset = DatasetFacts(
            dataset_id=body.dataset_id,
            version=body.dataset_version,
            artifact=body.artifact,
            training_items=items,
            left_out=count_left_out(body.quality, job.facts.waiting),
        )
        facts = job.facts.model_copy(update={"dataset": dataset})
        reason = describe_waiting(facts.waiting)
        await self._lifecycle.advance(tx, job, prepared, message.cause, reason=reason, facts=facts)

    async def record_dataset_rejection(self, tx: Tx, message: Message[DatasetRejected]) -> None:
        """The job cannot go on."""
        job = await self._find_expected(tx, message.body, JobEvent.PREPARED)
        if job is not None:
            # Without a report nothing was read: the configuration or the store is at fault.
            at_fault = message.body.quality is not None
            await self._fail(tx, job, message, message.body.reason, data_at_fault=at_fault)

    async def record_training_start(self, tx: Tx, message: Message[TrainingStarted]) -> None:
        """Remember the first step; the deadline counts from now."""
        job = await self._find_current_attempt(tx, message.body)
        if job is not None:
            first_step_at = message.body.first_step_at
            facts = job.facts.model_copy(update={"first_step_at": first_step_at})
            await self._lifecycle.update_facts(tx, job, facts)

    async def record_candidate(self, tx: Tx, message: Message[TrainingCompleted]) -> None:
        """Have the candidate compared with the deployed version."""
        body = message.body
        job = await self._find_current_attempt(tx, body)
        if job is None:
            return
        if body.steps < 1:
            await self._fail(tx, job, message, "the training made no optimizer step")
            return
        candidate = CandidateFacts(
            artifact=body.model,
            steps=body.steps,
            metrics=body.metrics,
            library_versions=body.library_versions,
            seconds=body.duration_seconds,
            closed_form=body.closed_form,
        )
        facts = job.facts.model_copy(update={"candidate": candidate})
        await self._lifecycle.advance(tx, job, JobEvent.TRAINED, message.cause, facts=facts)

    async def record_training_failure(self, tx: Tx, message: Message[TrainingFailed]) -> None:
        """Try the training again where that can help."""
        body = message.body
        job = await self._find_current_attempt(tx, body)
        if job is None:
            return
        if body.retryable:
            await self._lifecycle.retry_training(tx, job, message.cause, body.reason)
        else:
            # What such a training lacks it lacks again: there is nothing to subtract or to learn.
            await self._fail(tx, job, message, body.reason, data_at_fault=job.is_withdrawal)

    async def record_evaluation(self, tx: Tx, message: Message[EvaluationCompleted]) -> None:
        """Register what the gate passed; end the job of what it rejected."""
        body = message.body
        job = await self._find_expected(tx, body, JobEvent.GATE_PASSED)
        if job is None:
            return
        if is_answer_of_earlier_candidate(job, evaluation_id=body.evaluation_id):
            log.info("evaluation_of_earlier_candidate_ignored", job_id=str(job.job_id))
            return
        evaluation = EvaluationFacts(
            evaluation_id=body.evaluation_id,
            accuracy=_accuracy(body),
            reasons=body.reasons,
            review_reasons=body.review_reasons,
            compared_with=body.compared_with,
            artifact=body.predictions,
        )
        learning = assess_learning(job, body)
        facts = job.facts.model_copy(update={"evaluation": evaluation, "learning": learning})
        reason = "; ".join(body.reasons)
        if not learning.learnt:
            reason = f"it learnt nothing: {', '.join(learning.reasons)}; {reason}"
        # Whatever the policy lets pass, a run that learnt nothing is no success.
        if body.passed and learning.learnt:
            event = JobEvent.GATE_PASSED
            await self._lifecycle.advance(tx, job, event, message.cause, reason=reason, facts=facts)
        else:
            refused = replace(job, facts=facts)
            await self._lifecycle.escalate_or_reject(
                tx, refused, message.cause, body.rejection_kinds, reason=reason
            )

    async def record_evaluation_failure(self, tx: Tx, message: Message[EvaluationFailed]) -> None:
        """Have the candidate evaluated again where that can help."""
        job = await self._find_expected(tx, message.body, JobEvent.GATE_PASSED)
        if job is None:
            return
        if message.body.retryable:
            await self._lifecycle.retry_command(tx, job, message.cause, message.body.reason)
        else:
            await self._fail(tx, job, message, message.body.reason)

    async def record_registration(self, tx: Tx, message: Message[ModelRegistered]) -> None:
        """Have the new version deployed, or leave that to a person and end the job."""
        job = await self._find_expected(tx, message.body, JobEvent.REGISTERED)
        if job is None:
            return
        facts = job.facts.model_copy(update={"model": message.body.model})
        reasons = await self._find_review_reasons(tx, job)
        event, reason = JobEvent.REGISTERED, ""
        if reasons:
            event = JobEvent.REVIEW_REQUESTED
            reason = describe_review(message.body.model.version, reasons)
            facts = with_review_reasons(facts, reasons)
        await self._lifecycle.advance(tx, job, event, message.cause, reason=reason, facts=facts)

    async def record_experiment(self, tx: Tx, message: Message[ExperimentStarted]) -> None:
        """Wait for the end of an experiment, which may be in days."""
        job = await self._find_expected(tx, message.body, JobEvent.ROLLOUT_ENDED)
        if job is not None:
            experiment_id = message.body.experiment_id
            facts = job.facts.model_copy(update={"experiment_id": experiment_id})
            await self._lifecycle.update_facts(tx, job, facts)

    async def record_experiment_end(self, tx: Tx, message: Message[ExperimentConcluded]) -> None:
        """End the job of a version that is not deployed; of one that is, ModelDeployed follows."""
        body = message.body
        if body.job_id is None or body.outcome == ExperimentOutcome.PROMOTED:
            return
        job = await self._find_expected(tx, body, JobEvent.ROLLOUT_ENDED)
        if job is not None:
            event = JobEvent.ROLLOUT_ENDED
            await self._lifecycle.advance(tx, job, event, message.cause, reason=body.reason)

    async def reevaluate(self, tx: Tx, message: Message[DeploymentRefused]) -> None:
        """Another version was deployed meanwhile: the candidate must be better than that one."""
        job = await self._find_expected(tx, message.body, JobEvent.DEPLOYED_CHANGED)
        if job is not None:
            await self._lifecycle.reevaluate(tx, job, message.cause, message.body.reason)

    async def record_deployment(self, tx: Tx, message: Message[ModelDeployed]) -> None:
        """Record what is deployed; the job that led to it is complete."""
        body = message.body
        job = None
        if body.job_id is not None:
            job = await self._find_expected(tx, body, JobEvent.DEPLOYED)
        key = AgentKey(body.tenant_id, body.agent_id)
        await self._records.set_deployed(tx, key, body.model, body.deployed_at)
        await self._window_ends.record_learnt(tx, key, body.model.version)
        await self._agent_queue.record_deployment(
            tx, key, body.model.version, by_hand=body.job_id is None
        )
        if job is None:
            # Deployed by hand: it may hold feedback that was retracted since.
            await self._agent_queue.start_next(tx, key, message.cause)
        else:
            await self._lifecycle.advance(
                tx,
                job,
                JobEvent.DEPLOYED,
                message.cause,
                reason=f"{body.model.version} is deployed",
            )

    async def record_worker_report(self, tx: Tx, message: Message[WorkerReported]) -> None:
        """Remember a worker's capacity; a new slot goes to a waiting job."""
        await self._slots.record_report(tx, message.body)

    async def _find_review_reasons(self, tx: Tx, job: Job) -> tuple[str, ...]:
        """Why a person decides on the deployment; empty: nobody needs to."""
        agent = await self._records.find_agent(tx, job.key)
        if agent is None or agent.profile.rollout.mode is not RolloutMode.MANUAL:
            return job.review_reasons
        return (*job.review_reasons, MANUAL_REASON)

    async def _find_without_sources(self, tx: Tx, job_id: UUID) -> Job | None:
        """The job, locked, if it still waits for its sources."""
        job = await self._records.lock_job(tx, job_id)
        if job is None or needed_source_work(job) is None:
            log.info("sources_ignored", job_id=str(job_id), state=job.state if job else None)
            return None
        return job

    async def _find_expected(self, tx: Tx, body: HasJobId, event: JobEvent) -> Job | None:
        return await find_expected_job(self._records, tx, body, event)

    async def _find_current_attempt(
        self, tx: Tx, body: TrainingStarted | TrainingCompleted | TrainingFailed
    ) -> Job | None:
        """The job, locked, if it is training and the message is of its present attempt."""
        job = await self._find_expected(tx, body, JobEvent.TRAINED)
        if job is not None and job.attempt != body.attempt:
            log.info(
                "stale_attempt_ignored",
                job_id=str(job.job_id),
                attempt=body.attempt,
                present=job.attempt,
            )
            return None
        return job

    async def _fail(
        self,
        tx: Tx,
        job: Job,
        message: Message[Contract],
        reason: str,
        *,
        data_at_fault: bool = False,
    ) -> None:
        await self._lifecycle.advance(
            tx, job, JobEvent.GAVE_UP, message.cause, reason=reason, data_at_fault=data_at_fault
        )


def describe_review(version: str, reasons: tuple[str, ...]) -> str:
    """What a person reads who looks at the job."""
    return f"version {version} is ready and not deployed, it awaits a review: {'; '.join(reasons)}"


def with_review_reasons(facts: JobFacts, reasons: tuple[str, ...]) -> JobFacts:
    """The facts of a job whose version waits for a person."""
    if facts.evaluation is None:
        return facts
    evaluation = facts.evaluation.model_copy(update={"review_reasons": reasons})
    return facts.model_copy(update={"evaluation": evaluation})


def count_left_out(quality: QualityReport, waiting: Mapping[str, int]) -> int:
    """How many new items a dataset does not teach. A duplicate is taught by the item it equals."""
    left_out = quality.unusable + quality.conflicting + quality.held_out + quality.quarantined
    return left_out + sum(waiting.values())


def _accuracy(body: EvaluationCompleted) -> dict[str, Estimate]:
    """The candidate's figures, as they are kept with its version."""
    top_1 = body.accuracy.get(CANDIDATE, {})
    top_5 = body.accuracy_at_5.get(CANDIDATE, {})
    figures = {f"accuracy{_of(group)}": value for group, value in top_1.items()}
    return figures | {f"accuracy_at_5{_of(group)}": value for group, value in top_5.items()}


def _of(group: str) -> str:
    return "" if group == ALL_ITEMS else f".{group}"
