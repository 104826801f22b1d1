"""Builds the synthetic generator."""

from __future__ import annotations

from services.synthetic_generator.child import FORK_SERVER_MODULES
from services.synthetic_generator.handlers import build_router
from services.synthetic_generator.service import GENERATE, GeneratorService
from services.synthetic_generator.settings import Settings
from services.synthetic_generator.store import GeneratorStore
from services.synthetic_generator.worker import GenerateWorker
from shared.process.application import Application
from shared.process.service_context import ServiceContext
from shared.work.child_pool import ChildPool


def build_app(settings: Settings) -> Application:
    """Construct everything; nothing connects before `serve`."""
    shared = ServiceContext.build(settings)
    service = GeneratorService(GeneratorStore(), shared.outbox, shared.work)
    shared.broker.include_router(build_router(service, shared.inbox))
    # Its fork server starts with the first request: an idle service stays small.
    children = ChildPool(warm_up_modules=FORK_SERVER_MODULES, threads=1, telemetry=shared.telemetry)
    generate_worker = GenerateWorker(
        service=service,
        artifacts=shared.artifacts,
        children=children,
        deadline_seconds=settings.synthetic_generator_deadline_seconds,
    )
    worker = shared.worker({GENERATE: generate_worker}, slots=settings.synthetic_generator_slots)
    return Application(shared, background=[worker])
