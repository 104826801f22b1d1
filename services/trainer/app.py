"""Builds the trainer."""

from __future__ import annotations

from typing import Any

from archon_inference.remote.base_models import RemoteModels
from services.trainer.capacity import Capacity, CapacityReporter
from services.trainer.checkpoints.folders import WorkFolders
from services.trainer.child import FORK_SERVER_MODULES
from services.trainer.handlers import build_router
from services.trainer.recipes.recipe_table import list_capabilities
from services.trainer.service import UPDATE_KIND, WORK_KIND, TrainerService
from services.trainer.settings import Settings
from services.trainer.store import TrainingStore
from services.trainer.worker import TrainingWorker, UpdateWorker
from shared.process.application import Application
from shared.process.periodic import Periodic
from shared.process.service_context import ServiceContext
from shared.work.child_pool import ChildPool
from shared.work.resident_child import ResidentChild

CLEAN_UP_SECONDS = 600.0
FORK_SERVER_WARM_UP = "archon_inference.fork_server.warm_up"


def build_app(settings: Settings) -> Application:
    """Construct everything; nothing connects or forks before `serve`."""
    shared = ServiceContext.build(settings)
    store = TrainingStore()
    service = TrainerService(store, shared.work)
    shared.broker.include_router(build_router(service, shared.inbox))
    # Of both alike: they have one fork server.
    warm_up_modules = (*FORK_SERVER_MODULES, FORK_SERVER_WARM_UP)
    children = ChildPool(
        warm_up_modules=warm_up_modules,
        threads=settings.trainer_threads,
        telemetry=shared.telemetry,
    )
    resident = ResidentChild(
        warm_up_modules=warm_up_modules,
        threads=settings.trainer_threads,
        telemetry=shared.telemetry,
    )
    folders = WorkFolders(settings.work_dir)
    capacity = Capacity(
        settings.worker_id,
        slots=settings.trainer_slots,
        devices=settings.trainer_devices,
        capabilities=list_capabilities(),
    )
    collaborators: dict[str, Any] = {
        "artifacts": shared.artifacts,
        "folders": folders,
        "capacity": capacity,
        "attempts": store,
        "guard": shared.work,
        "outbox": shared.outbox,
        "clock": shared.clock,
        "worker_id": settings.worker_id,
        "threads": settings.trainer_threads,
        "precision": settings.trainer_precision,
        "rates": settings.resource_rates,
        "remote_models": RemoteModels(settings.base_model_sources),
    }
    training = TrainingWorker(children=children, **collaborators)
    updates = UpdateWorker(children=resident, **collaborators)

    async def clean_up() -> None:
        async with shared.database.across_tenants() as tx:
            open_jobs = await store.list_open_jobs(tx)
        await folders.remove_all_but(open_jobs)

    return Application(
        shared,
        on_start=[children.start_fork_server],
        background=[
            shared.worker({WORK_KIND: training}, slots=settings.trainer_slots),
            shared.worker({UPDATE_KIND: updates}, slots=1),
            CapacityReporter(capacity, shared, every_seconds=settings.trainer_report_seconds),
            Periodic("clean up work folders", CLEAN_UP_SECONDS, clean_up),
        ],
    )
