"""Builds the evaluator."""

from __future__ import annotations

from typing import Any

from archon_inference.remote.base_models import RemoteModels
from services.evaluator.benchmarks.worker import BenchmarkWorker
from services.evaluator.child import FORK_SERVER_MODULES
from services.evaluator.domain import GraderEndpoint
from services.evaluator.handlers import build_router
from services.evaluator.log_analysis.worker import LogAnalysisWorker
from services.evaluator.service import (
    ANALYSIS_KIND,
    BENCHMARK_KIND,
    UPDATE_KIND,
    WORK_KIND,
    EvaluatorService,
)
from services.evaluator.settings import Settings
from services.evaluator.store import EvaluationStore
from services.evaluator.worker import EvaluationWorker, UpdateEvaluationWorker
from shared.process.application import Application
from shared.process.service_context import ServiceContext
from shared.work.child_pool import ChildPool
from shared.work.resident_child import ResidentChild

FORK_SERVER_WARM_UP = "archon_inference.fork_server.warm_up"


def build_app(settings: Settings) -> Application:
    """Construct everything; nothing connects or forks before `serve`."""
    shared = ServiceContext.build(settings)
    store = EvaluationStore()
    service = EvaluatorService(store, shared.work, shared.outbox)
    shared.broker.include_router(build_router(service, shared.inbox))
    children = ChildPool(
        warm_up_modules=(*FORK_SERVER_MODULES, FORK_SERVER_WARM_UP),
        threads=settings.evaluator_threads,
        telemetry=shared.telemetry,
    )
    resident = ResidentChild(
        warm_up_modules=(*FORK_SERVER_MODULES, FORK_SERVER_WARM_UP),
        threads=settings.evaluator_threads,
        telemetry=shared.telemetry,
    )
    collaborators: dict[str, Any] = {
        "artifacts": shared.artifacts,
        "store": store,
        "queue": shared.work,
        "outbox": shared.outbox,
        "clock": shared.clock,
        "threads": settings.evaluator_threads,
        "device": settings.evaluator_device,
        "precision": settings.evaluator_precision,
        "remote_models": RemoteModels(settings.base_model_sources),
    }
    evaluation = EvaluationWorker(children=children, **collaborators)
    updates = UpdateEvaluationWorker(children=resident, **collaborators)
    benchmarks = BenchmarkWorker(
        children=children,
        artifacts=shared.artifacts,
        queue=shared.work,
        outbox=shared.outbox,
        clock=shared.clock,
        threads=settings.evaluator_threads,
        device=settings.evaluator_device,
        replies=store,
        grader=_build_grader(settings),
    )
    analyses = LogAnalysisWorker(
        children=children,
        artifacts=shared.artifacts,
        queue=shared.work,
        outbox=shared.outbox,
        clock=shared.clock,
        threads=settings.evaluator_threads,
    )
    return Application(
        shared,
        # torch takes seconds to import: it is loaded before the first evaluation needs it.
        on_start=[children.start_fork_server],
        background=[
            shared.worker({WORK_KIND: evaluation}, slots=settings.evaluator_slots),
            shared.worker({UPDATE_KIND: updates}, slots=1),
            # One lane: both are for people to look at, and each takes all threads of a child.
            shared.worker({BENCHMARK_KIND: benchmarks, ANALYSIS_KIND: analyses}, slots=1),
        ],
    )


def _build_grader(settings: Settings) -> GraderEndpoint | None:
    if not settings.evaluator_grader_url:
        return None
    return GraderEndpoint(
        settings.evaluator_grader_url,
        settings.evaluator_grader_model,
        settings.evaluator_grader_api_key.get_secret_value(),
    )
