"""The trainer's metric points and the gateway's progress view, on the same bytes."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments

from archon_contracts.base import Contract
from archon_contracts.envelope import Envelope
from archon_contracts.events import JobState, JobStateChanged, MetricsRecorded
from archon_contracts.identifiers import new_id
from archon_contracts.values import TrainingMethod
from services.gateway.audit.store import AuditStore
from services.gateway.domain import TrainingProgressView
from services.gateway.functions.log_analysis_store import LogAnalysisStore
from services.gateway.metrics.intake import MetricsIntake
from services.gateway.read_models.projection_store import ProjectionStore
from services.gateway.read_models.projections import Projections
from services.gateway.sse.event_store import EventStore
from services.gateway.store import GatewayStore
from services.trainer.domain import read_metric_points
from services.trainer.recipes.progress_callback import ProgressCallback
from shared.messaging.messages import RawRecord, read_message
from shared.process.service_context import ServiceContext
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TRAINER_LOGS = {"loss": 0.25, "learning_rate": 1e-4, "grad_norm": 3.0, "epoch": 0.5}


@pytest.fixture
async def shared(database_url: str) -> AsyncIterator[ServiceContext]:
    async with open_service_context(probe_settings(database_url, service="gateway")) as opened:
        yield opened


def record_of(body: Contract) -> RawRecord:
    envelope = Envelope(id=new_id(), source="test", type=body.message_type(), time=NOON)
    return RawRecord(
        body.topic.name, 0, 0, body.key.encode(), body.to_bytes(), tuple(envelope.to_headers())
    )


def reports_of(logs: dict[str, float], step: int) -> list[dict[str, Any]]:
    """What the training process reports when the Trainer logs."""
    reports: list[dict[str, Any]] = []
    callback = ProgressCallback(reports.append, dict)
    state = TrainerState(global_step=step, epoch=logs["epoch"])
    callback.on_log(TrainingArguments(report_to=[]), state, TrainerControl(), logs=logs)
    return reports


async def progress_of(shared: ServiceContext, job: UUID, *events: Contract) -> TrainingProgressView:
    """What is shown of the job, after each event came in the gateway's way."""
    store = ProjectionStore()
    projections = Projections(store, AuditStore(), EventStore(), LogAnalysisStore())
    intake = MetricsIntake(shared.database, shared.notifier, store, shared.outbox)
    for event in events:
        if isinstance(event, MetricsRecorded):
            await intake.consume([record_of(event)])
            continue
        async with shared.database.transaction("default") as tx:
            await projections.project(tx, read_message(record_of(event)))
    async with shared.database.transaction("default") as tx:
        view = await GatewayStore().find_job(tx, "default", job, now=NOON)
    assert view is not None
    assert view.progress is not None
    return view.progress


async def test_the_loss_that_the_trainer_logs_is_the_loss_that_the_gateway_shows(
    shared: ServiceContext,
) -> None:
    job = new_id()
    (report,) = reports_of(TRAINER_LOGS, step=7)
    started = JobStateChanged(
        job_id=job,
        agent_id="a",
        method=TrainingMethod.SUPERVISED,
        to_state=JobState.TRAINING,
        attempt=1,
        occurred_at=NOON,
    )
    recorded = MetricsRecorded(
        job_id=job, agent_id="a", attempt=1, points=tuple(read_metric_points(report, NOON))
    )

    progress = await progress_of(shared, job, started, recorded)

    assert (progress.step, progress.loss) == (7, TRAINER_LOGS["loss"])
