"""Projection of events into the read models. Events of different topics come in any order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from archon_contracts.base import Contract
from archon_contracts.catalogue import EVENTS
from archon_contracts.events import (
    AgentConfiguration,
    AgentConfigured,
    AgentParked,
    AuditRecorded,
    BenchmarkCompleted,
    BenchmarkFailed,
    BenchmarkProgressed,
    CurriculumMeasured,
    CurriculumPlanned,
    DatasetPrepared,
    EvaluationCompleted,
    ExperimentAdvanced,
    ExperimentConcluded,
    ExperimentMeasured,
    ExperimentStarted,
    FeedbackCounted,
    FeedbackErased,
    FeedbackReturned,
    FeedbackWithdrawn,
    JobCompleted,
    JobRejected,
    JobStateChanged,
    LevelAdvanced,
    LevelRegressed,
    LogAnalysisFailed,
    LogAnalysisProgressed,
    LogsAnalyzed,
    ModelArchived,
    ModelDeployed,
    ModelProtected,
    ModelRegistered,
    ModelRolledBack,
    RetrainTriggered,
    SyntheticDataCancelled,
    SyntheticDataGenerated,
    SyntheticDataProgressed,
    TrainingRequested,
    TrainingStarted,
    WorkerReported,
)
from archon_contracts.topics import EVENT_TOPICS, FEEDBACK, FEEDBACK_COUNTS, METRICS, Topic
from services.gateway.audit.entries import require_genuine
from services.gateway.audit.store import AuditStore
from services.gateway.domain import DeploymentView
from services.gateway.feedback.hourly_stats import merge_by_hour, merge_by_version
from services.gateway.functions.log_analysis_store import LogAnalysisStore
from services.gateway.read_models.curricula import CurriculumReadModel
from services.gateway.read_models.experiments import ExperimentReadModel
from services.gateway.read_models.projection_store import ProjectionStore
from services.gateway.sse.event_store import EventStore
from services.gateway.sse.events import to_streamed_event
from shared.messaging.messages import Message
from shared.postgres.database import Tx

# Feedback is counted once, by the coordinator, and comes here as FeedbackCounted; points of
# trainings come by the batch (`MetricsIntake`).
PROJECTED_TOPICS: Final[tuple[Topic, ...]] = tuple(
    topic for topic in EVENT_TOPICS if topic not in (FEEDBACK, METRICS)
)
PROJECTED_EVENTS: Final = tuple(c for c in EVENTS if c.topic in PROJECTED_TOPICS)
STREAMED_EVENTS: Final = frozenset(
    # These come with every batch of feedback and would push the rest out of what is kept.
    c
    for c in PROJECTED_EVENTS
    if c.topic != FEEDBACK_COUNTS
)

Apply = Callable[[Tx, Message[Any]], Awaitable[None]]


class Projections:
    """Updates the read models. Types without an entry only go into the recent events."""

    def __init__(
        self,
        store: ProjectionStore,
        audit: AuditStore,
        events: EventStore,
        analyses: LogAnalysisStore,
    ) -> None:
        self._store = store
        self._experiments = ExperimentReadModel()
        self._curricula = CurriculumReadModel()
        self._audit = audit
        self._events = events
        self._analyses = analyses
        self._apply: dict[type[Contract], Apply] = {
            AgentConfiguration: self._agent_configuration,
            AgentConfigured: self._agent_configured,
            AgentParked: self._agent_parked,
            AuditRecorded: self._audit_recorded,
            BenchmarkCompleted: self._benchmark_completed,
            BenchmarkFailed: self._benchmark_failed,
            BenchmarkProgressed: self._benchmark_progressed,
            CurriculumMeasured: self._curriculum_measured,
            CurriculumPlanned: self._curriculum_planned,
            LevelAdvanced: self._level_changed,
            LevelRegressed: self._level_changed,
            DatasetPrepared: self._dataset_prepared,
            FeedbackCounted: self._feedback_counted,
            SyntheticDataCancelled: self._synthetic_data_cancelled,
            SyntheticDataGenerated: self._synthetic_data_generated,
            SyntheticDataProgressed: self._synthetic_data_progressed,
            TrainingRequested: self._training_requested,
            RetrainTriggered: self._retrain_triggered,
            FeedbackReturned: self._feedback_returned,
            FeedbackErased: self._feedback_erased,
            FeedbackWithdrawn: self._feedback_withdrawn,
            JobStateChanged: self._job_state_changed,
            JobCompleted: self._job_completed,
            JobRejected: self._job_rejected,
            TrainingStarted: self._training_started,
            LogAnalysisFailed: self._log_analysis_ended,
            LogAnalysisProgressed: self._log_analysis_progressed,
            LogsAnalyzed: self._log_analysis_ended,
            EvaluationCompleted: self._evaluation_completed,
            ExperimentStarted: self._experiment_started,
            ExperimentAdvanced: self._experiment_advanced,
            ExperimentMeasured: self._experiment_measured,
            ExperimentConcluded: self._experiment_concluded,
            ModelRegistered: self._model_registered,
            ModelDeployed: self._model_deployed,
            ModelRolledBack: self._model_rolled_back,
            ModelArchived: self._model_archived,
            ModelProtected: self._model_protected,
            WorkerReported: self._worker_reported,
        }

    async def project(self, tx: Tx, message: Message[Contract]) -> None:
        """Project one event into the read models and the recent events."""
        apply = self._apply.get(type(message.body))
        if apply is not None:
            await apply(tx, message)
        if type(message.body) in STREAMED_EVENTS:
            await self._events.add(tx, to_streamed_event(message))

    async def _agent_configured(self, tx: Tx, message: Message[AgentConfigured]) -> None:
        event = message.body
        await self._store.save_agent(tx, event.tenant_id, event.profile, message.envelope.time)

    async def _agent_configuration(self, tx: Tx, message: Message[AgentConfiguration]) -> None:
        await self._store.save_configuration(tx, message.body)

    async def _agent_parked(self, tx: Tx, message: Message[AgentParked]) -> None:
        await self._store.save_parked_agent(tx, message.body, message.envelope.time)

    async def _audit_recorded(self, tx: Tx, message: Message[AuditRecorded]) -> None:
        require_genuine(message.body)
        await self._audit.add(tx, message.body)

    async def _curriculum_measured(self, tx: Tx, message: Message[CurriculumMeasured]) -> None:
        await self._curricula.save_measure(tx, message.body, message.envelope.time)

    async def _curriculum_planned(self, tx: Tx, message: Message[CurriculumPlanned]) -> None:
        await self._curricula.save_plan(tx, message.body, message.envelope.time)

    async def _level_changed(
        self, tx: Tx, message: Message[LevelAdvanced] | Message[LevelRegressed]
    ) -> None:
        await self._curricula.save_change(tx, message.body, message.envelope.time)

    async def _dataset_prepared(self, tx: Tx, message: Message[DatasetPrepared]) -> None:
        await self._store.save_prepared_dataset(tx, message.body, message.envelope.time)

    async def _feedback_counted(self, tx: Tx, message: Message[FeedbackCounted]) -> None:
        event = message.body
        hours = merge_by_hour(event.counts)
        await self._store.add_feedback_counts(tx, event.tenant_id, event.agent_id, hours)
        if event.unused is not None:
            await self._store.save_unused_feedback(tx, event)
        if versions := merge_by_version(event.counts):
            await self._store.add_version_feedback(tx, event.tenant_id, event.agent_id, versions)

    async def _benchmark_progressed(self, tx: Tx, message: Message[BenchmarkProgressed]) -> None:
        await self._store.save_benchmark_progress(tx, message.body)

    async def _benchmark_completed(self, tx: Tx, message: Message[BenchmarkCompleted]) -> None:
        await self._store.save_benchmark_end(tx, message.body, message.envelope.time)

    async def _benchmark_failed(self, tx: Tx, message: Message[BenchmarkFailed]) -> None:
        await self._store.save_benchmark_end(tx, message.body, message.envelope.time)

    async def _log_analysis_progressed(
        self, tx: Tx, message: Message[LogAnalysisProgressed]
    ) -> None:
        await self._analyses.save_progress(tx, message.body)

    async def _log_analysis_ended(
        self, tx: Tx, message: Message[LogsAnalyzed | LogAnalysisFailed]
    ) -> None:
        await self._analyses.save_end(tx, message.body, message.envelope.time)

    async def _synthetic_data_generated(
        self, tx: Tx, message: Message[SyntheticDataGenerated]
    ) -> None:
        await self._store.save_synthetic_result(tx, message.body, message.envelope.time)

    async def _synthetic_data_progressed(
        self, tx: Tx, message: Message[SyntheticDataProgressed]
    ) -> None:
        await self._store.save_synthetic_progress(tx, message.body)

    async def _synthetic_data_cancelled(
        self, tx: Tx, message: Message[SyntheticDataCancelled]
    ) -> None:
        await self._store.save_synthetic_end(tx, message.body, message.envelope.time)

    async def _training_requested(self, tx: Tx, message: Message[TrainingRequested]) -> None:
        await self._store.save_requested_job(tx, message.body, message.envelope.time)

    async def _retrain_triggered(self, tx: Tx, message: Message[RetrainTriggered]) -> None:
        await self._store.save_job_trigger(tx, message.body, message.envelope.time)

    async def _feedback_returned(self, tx: Tx, message: Message[FeedbackReturned]) -> None:
        await self._store.save_feedback_returned(tx, message.body)

    async def _feedback_erased(self, tx: Tx, message: Message[FeedbackErased]) -> None:
        await self._analyses.erase_quotes(tx, message.body)

    async def _feedback_withdrawn(self, tx: Tx, message: Message[FeedbackWithdrawn]) -> None:
        await self._store.save_withdrawn_items(tx, message.body)

    async def _job_state_changed(self, tx: Tx, message: Message[JobStateChanged]) -> None:
        await self._store.save_job_state(tx, message.body, message.envelope.id)

    async def _job_completed(self, tx: Tx, message: Message[JobCompleted]) -> None:
        event = message.body
        await self._store.save_job_result(
            tx, event.job_id, version=event.model, digest=event.digest
        )
        await self._store.save_job_learning(tx, event.job_id, event.learning)

    async def _job_rejected(self, tx: Tx, message: Message[JobRejected]) -> None:
        await self._store.save_job_learning(tx, message.body.job_id, message.body.learning)

    async def _training_started(self, tx: Tx, message: Message[TrainingStarted]) -> None:
        await self._store.save_training_start(tx, message.body)

    async def _evaluation_completed(self, tx: Tx, message: Message[EvaluationCompleted]) -> None:
        await self._store.save_evaluation(tx, message.body, message.envelope.time)

    async def _experiment_started(self, tx: Tx, message: Message[ExperimentStarted]) -> None:
        await self._experiments.begin(tx, message.body, message.envelope.time)

    async def _experiment_advanced(self, tx: Tx, message: Message[ExperimentAdvanced]) -> None:
        await self._experiments.advance(tx, message.body)

    async def _experiment_measured(self, tx: Tx, message: Message[ExperimentMeasured]) -> None:
        await self._experiments.add_measure(tx, message.body)

    async def _experiment_concluded(self, tx: Tx, message: Message[ExperimentConcluded]) -> None:
        await self._experiments.conclude(tx, message.body, message.envelope.time)

    async def _model_registered(self, tx: Tx, message: Message[ModelRegistered]) -> None:
        await self._store.save_registered_model(tx, message.body, message.envelope.time)

    async def _model_deployed(self, tx: Tx, message: Message[ModelDeployed]) -> None:
        event = message.body
        await self._store.save_deployed_model(
            tx, event, event.agent_id, event.model, reason=event.reason, at=event.deployed_at
        )
        await self._store.save_deployment(tx, event, to_deployment(event))

    async def _model_rolled_back(self, tx: Tx, message: Message[ModelRolledBack]) -> None:
        event = message.body
        # First: it compares with the target's `deployed_at`, which the next statement sets anew.
        await self._store.unmark_rolled_back(
            tx, event.tenant_id, event.agent_id, event.model.version
        )
        await self._store.save_deployed_model(
            tx, event, event.agent_id, event.model, reason=event.reason, at=event.rolled_back_at
        )
        await self._store.save_deployment(tx, event, to_deployment(event))

    async def _model_archived(self, tx: Tx, message: Message[ModelArchived]) -> None:
        await self._store.archive_model(tx, message.body, message.envelope.time)

    async def _model_protected(self, tx: Tx, message: Message[ModelProtected]) -> None:
        await self._store.protect_model(tx, message.body)

    async def _worker_reported(self, tx: Tx, message: Message[WorkerReported]) -> None:
        await self._store.save_worker(tx, message.body, message.envelope.time)


def to_deployment(event: ModelDeployed | ModelRolledBack) -> DeploymentView:
    """The change of the deployed version that an event says."""
    if isinstance(event, ModelDeployed):
        action, previous, job_id, at = (
            "deploy",
            event.previous_version,
            event.job_id,
            event.deployed_at,
        )
    else:
        action, previous, job_id, at = "rollback", event.from_version, None, event.rolled_back_at
    return DeploymentView(
        revision=event.revision,
        version=event.model.version,
        previous_version=previous,
        digest=event.model.artifact.digest,
        action=action,
        actor=event.actor,
        reason=event.reason,
        job_id=job_id,
        at=at,
    )
