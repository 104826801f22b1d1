"""Writes of the projections: one method per query."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from archon_contracts.base import Contract
from archon_contracts.events import (
    AgentConfiguration,
    AgentParked,
    BenchmarkCompleted,
    BenchmarkFailed,
    BenchmarkProgressed,
    DatasetPrepared,
    EvaluationCompleted,
    FeedbackCounted,
    FeedbackCounts,
    FeedbackReturned,
    FeedbackWithdrawn,
    JobStateChanged,
    LearningReport,
    MetricsRecorded,
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
from archon_contracts.values import AgentProfile, ModelRef
from services.gateway.domain import DeploymentView, name_synthetic_dataset
from services.gateway.read_models.newest_steps import find_newest_steps
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries


class ProjectionStore:
    """Every write can be repeated without a change; none commits."""

    def __init__(self) -> None:
        self._queries = load_queries("services.gateway")

    async def save_agent(self, tx: Tx, tenant_id: str, profile: AgentProfile, at: datetime) -> None:
        await self._queries.save_agent(
            tx,
            tenant_id=tenant_id,
            agent_id=profile.agent_id,
            profile=profile.model_dump(mode="json", exclude_none=True),
            configured_at=at,
        )

    async def save_parked_agent(self, tx: Tx, event: AgentParked, at: datetime) -> None:
        await self._queries.save_parked_agent(
            tx,
            tenant_id=event.tenant_id,
            agent_id=event.agent_id,
            reason=event.reason,
            at=at,
            until=event.until,
        )

    async def save_unused_feedback(self, tx: Tx, event: FeedbackCounted) -> None:
        """Keep the newest look, by the coordinator's clock."""
        await self._queries.save_unused_feedback(
            tx,
            tenant_id=event.tenant_id,
            agent_id=event.agent_id,
            unused=event.unused,
            at=event.unused_at,
        )

    async def save_prepared_dataset(self, tx: Tx, event: DatasetPrepared, at: datetime) -> None:
        await self._queries.save_prepared_dataset(
            tx,
            dataset_id=event.dataset_id,
            tenant_id=event.tenant_id,
            agent_id=event.agent_id,
            job_id=event.job_id,
            dataset_version=event.dataset_version,
            body=event.to_json(),
            prepared_at=at,
        )

    async def save_requested_job(self, tx: Tx, event: TrainingRequested, at: datetime) -> None:
        await self._queries.save_requested_job(
            tx,
            job_id=event.job_id,
            tenant_id=event.tenant_id,
            agent_id=event.agent_id,
            method=event.method,
            dataset_name=event.dataset_name,
            config=event.config.model_dump(mode="json", exclude_none=True),
            requested_by=event.requested_by,
            at=at,
        )

    async def save_job_trigger(self, tx: Tx, event: RetrainTriggered, at: datetime) -> None:
        await self._queries.save_job_trigger(
            tx,
            job_id=event.job_id,
            tenant_id=event.tenant_id,
            agent_id=event.agent_id,
            window_trigger=event.to_json(),
            at=at,
        )

    async def save_feedback_returned(self, tx: Tx, event: FeedbackReturned) -> None:
        await self._queries.save_feedback_returned(
            tx, job_id=event.job_id, feedback_returned=event.to_json()
        )

    async def save_job_state(self, tx: Tx, event: JobStateChanged, event_id: UUID) -> None:
        await self._queries.save_job_state(
            tx,
            job_id=event.job_id,
            tenant_id=event.tenant_id,
            agent_id=event.agent_id,
            method=event.method,
            state=event.to_state,
            attempt=event.attempt,
            reason=event.reason,
            trace_id=event.trace_id,
            at=event.occurred_at,
        )
        await self._queries.add_transition(
            tx,
            event_id=event_id,
            tenant_id=event.tenant_id,
            job_id=event.job_id,
            from_state=event.from_state,
            to_state=event.to_state,
            attempt=event.attempt,
            reason=event.reason,
            at=event.occurred_at,
        )

    async def save_job_result(self, tx: Tx, job_id: UUID, *, version: str, digest: str) -> None:
        await self._queries.save_job_result(tx, job_id=job_id, version=version, digest=digest)

    async def save_job_learning(
        self, tx: Tx, job_id: UUID, learning: LearningReport | None
    ) -> None:
        if learning is not None:
            body = learning.model_dump(mode="json")
            await self._queries.save_job_learning(tx, job_id=job_id, learning=body)

    async def save_training_start(self, tx: Tx, event: TrainingStarted) -> None:
        await self._queries.save_training_start(
            tx,
            tenant_id=event.tenant_id,
            job_id=event.job_id,
            attempt=event.attempt,
            total_steps=event.total_steps,
            resumed_from_step=event.resumed_from_step,
            first_step_at=event.first_step_at,
        )

    async def save_metrics(self, tx: Tx, events: Sequence[MetricsRecorded]) -> None:
        """Keep the points of events, by one statement."""
        points = [(place, each) for place, event in enumerate(events, 1) for each in event.points]
        await self._queries.save_metrics(
            tx,
            tenant_ids=[event.tenant_id for event in events],
            job_ids=[event.job_id for event in events],
            attempts=[event.attempt for event in events],
            events=[place for place, _ in points],
            names=[point.name for _, point in points],
            steps=[point.step for _, point in points],
            amounts=[point.value for _, point in points],
            epochs=[point.epoch for _, point in points],
            moments=[point.recorded_at for _, point in points],
        )

    async def save_training_steps(self, tx: Tx, events: Sequence[MetricsRecorded]) -> None:
        """How far the trainings of these events are, in their newest attempt."""
        await self._queries.save_training_steps(tx, **find_newest_steps(events))

    async def save_evaluation(self, tx: Tx, event: EvaluationCompleted, at: datetime) -> None:
        await self._queries.save_evaluation(
            tx,
            evaluation_id=event.evaluation_id,
            tenant_id=event.tenant_id,
            agent_id=event.agent_id,
            job_id=event.job_id,
            body=event.to_json(),
            at=at,
        )

    async def save_registered_model(self, tx: Tx, event: ModelRegistered, at: datetime) -> None:
        body = event.to_json()
        await self._queries.save_registered_model(
            tx,
            tenant_id=event.tenant_id,
            agent_id=event.agent_id,
            version=event.model.version,
            uri=event.model.artifact.uri,
            digest=event.model.artifact.digest,
            model_id=event.model_id,
            job_id=event.job_id,
            parent_version=event.parent_version,
            dataset_id=event.dataset_id,
            metrics=body.get("metrics", {}),
            at=event.registered_at or at,
            kind=event.kind,
            dataset=body.get("dataset"),
            facts=event.lineage,
        )

    async def save_deployed_model(
        self, tx: Tx, event: Contract, agent_id: str, model: ModelRef, *, reason: str, at: datetime
    ) -> None:
        """Make this version the only deployed one."""
        tenant_id = event.tenant_id
        await self._queries.undeploy_model(tx, tenant_id=tenant_id, agent_id=agent_id)
        await self._queries.save_deployed_model(
            tx,
            tenant_id=tenant_id,
            agent_id=agent_id,
            version=model.version,
            uri=model.artifact.uri,
            digest=model.artifact.digest,
            reason=reason,
            at=at,
        )

    async def save_configuration(self, tx: Tx, event: AgentConfiguration) -> None:
        """What an agent runs now; an older revision changes nothing."""
        await self._queries.save_configuration(
            tx,
            tenant_id=event.tenant_id,
            agent_id=event.agent_id,
            revision=event.revision,
            body=event.to_json(),
        )

    async def save_deployment(
        self, tx: Tx, event: ModelDeployed | ModelRolledBack, deployment: DeploymentView
    ) -> None:
        """Add a change of the deployed version to the agent's history; one that is known stays."""
        await self._queries.save_deployment(
            tx, tenant_id=event.tenant_id, agent_id=event.agent_id, **dict(deployment)
        )

    async def unmark_rolled_back(self, tx: Tx, tenant_id: str, agent_id: str, version: str) -> None:
        """Take `deployed_at` from what was deployed after this version."""
        await self._queries.unmark_rolled_back(
            tx, tenant_id=tenant_id, agent_id=agent_id, version=version
        )

    async def save_withdrawn_items(self, tx: Tx, event: FeedbackWithdrawn) -> None:
        """Which versions may hold retracted feedback; it replaces what was listed before."""
        await self._queries.save_withdrawn_items(
            tx,
            tenant_id=event.tenant_id,
            agent_id=event.agent_id,
            affected=event.affected_versions,
        )

    async def archive_model(self, tx: Tx, event: ModelArchived, at: datetime) -> None:
        """Keep a version for the record only."""
        await self._queries.archive_model(
            tx,
            tenant_id=event.tenant_id,
            agent_id=event.agent_id,
            version=event.version_archived,
            reason=event.reason,
            at=event.archived_at or at,
        )

    async def protect_model(self, tx: Tx, event: ModelProtected) -> None:
        """Whether retention may archive a version."""
        await self._queries.protect_model(
            tx,
            tenant_id=event.tenant_id,
            agent_id=event.agent_id,
            version=event.model_version,
            reason=event.reason if event.protected else None,
        )

    async def save_synthetic_result(
        self, tx: Tx, event: SyntheticDataGenerated, at: datetime
    ) -> None:
        place = {"request_id": event.request_id, "tenant_id": event.tenant_id}
        await self._queries.save_synthetic_result(tx, **place, result=event.to_json(), at=at)
        if event.items:
            await self._queries.save_synthetic_dataset(
                tx,
                **place,
                name=name_synthetic_dataset(event.request_id),
                items=event.items,
                uri=event.artifact.uri,
                digest=event.artifact.digest,
            )

    async def save_synthetic_progress(self, tx: Tx, event: SyntheticDataProgressed) -> None:
        place = {"request_id": event.request_id, "tenant_id": event.tenant_id}
        await self._queries.save_synthetic_progress(tx, **place, progress=event.to_json())

    async def save_synthetic_end(self, tx: Tx, event: SyntheticDataCancelled, at: datetime) -> None:
        place = {"request_id": event.request_id, "tenant_id": event.tenant_id}
        await self._queries.save_synthetic_cancelled(tx, **place, cancelled=event.to_json(), at=at)

    async def save_benchmark_progress(self, tx: Tx, event: BenchmarkProgressed) -> None:
        await self._queries.save_benchmark_progress(
            tx,
            benchmark_id=event.benchmark_id,
            tenant_id=event.tenant_id,
            progress=event.to_json(),
        )

    async def save_benchmark_end(
        self, tx: Tx, event: BenchmarkCompleted | BenchmarkFailed, at: datetime
    ) -> None:
        completed = isinstance(event, BenchmarkCompleted)
        await self._queries.save_benchmark_end(
            tx,
            benchmark_id=event.benchmark_id,
            tenant_id=event.tenant_id,
            result=event.to_json() if completed else None,
            failure=None if completed else event.to_json(),
            at=at,
        )

    async def save_worker(self, tx: Tx, event: WorkerReported, at: datetime) -> None:
        await self._queries.save_worker(
            tx,
            worker_id=event.worker_id,
            service=event.service,
            slots=event.slots,
            busy=event.busy,
            devices=list(event.devices),
            memory_mb=event.memory_mb,
            capabilities=[each.model_dump(mode="json") for each in event.capabilities],
            at=at,
        )

    async def add_feedback_counts(
        self, tx: Tx, tenant_id: str, agent_id: str, hours: Sequence[FeedbackCounts]
    ) -> None:
        """Add increments to an agent's hours; each hour is in `hours` once at most."""
        await self._queries.add_feedback_counts(
            tx,
            tenant_id=tenant_id,
            agent_id=agent_id,
            hours=[hour.hour for hour in hours],
            **_columns(hours),
            latencies=[orjson.dumps(hour.latencies).decode() for hour in hours],
        )

    async def add_version_feedback(
        self, tx: Tx, tenant_id: str, agent_id: str, versions: Sequence[FeedbackCounts]
    ) -> None:
        """Add increments to an agent's versions; each is in `versions` once at most."""
        await self._queries.add_version_feedback(
            tx,
            tenant_id=tenant_id,
            agent_id=agent_id,
            versions=[each.model_version for each in versions],
            since=[each.hour for each in versions],
            feedback=[each.feedback for each in versions],
            corrected=[each.corrected for each in versions],
            rated=[each.rated for each in versions],
            rating_sums=[each.rating_sum for each in versions],
            rewarded=[each.rewarded for each in versions],
            reward_sums=[each.reward_sum for each in versions],
        )


def _columns(hours: Sequence[FeedbackCounts]) -> dict[str, list[Any]]:
    return {
        "feedback": [hour.feedback for hour in hours],
        "corrected": [hour.corrected for hour in hours],
        "rated": [hour.rated for hour in hours],
        "rating_sums": [hour.rating_sum for hour in hours],
        "rewarded": [hour.rewarded for hour in hours],
        "reward_sums": [hour.reward_sum for hour in hours],
        "retracted": [hour.retracted for hour in hours],
        "annotations": [hour.annotations for hour in hours],
        "interactions": [hour.interactions for hour in hours],
        "failed": [hour.failed for hour in hours],
    }
