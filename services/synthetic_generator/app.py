"""Builds the synthetic generator."""

from __future__ import annotations

from typing import Any

from services.synthetic_generator.child import FORK_SERVER_MODULES
from services.synthetic_generator.handlers import build_router
from services.synthetic_generator.service import GENERATE, GeneratorService
from services.synthetic_generator.settings import Settings
from services.synthetic_generator.store import GeneratorStore
from services.synthetic_generator.worker import GenerateWorker
from shared.process.application import Application
from shared.process.service_context import ServiceContext
from shared.work.child_pool import ChildPool


def _build_endpoint(settings: Settings) -> dict[str, Any] | None:
    """Fields of a `LanguageModelEndpoint`; None: no URL is set."""
    if not settings.synthetic_generator_llm_url:
        return None
    return {
        "url": settings.synthetic_generator_llm_url,
        "model": settings.synthetic_generator_llm_model,
        "api_key": settings.synthetic_generator_llm_api_key.get_secret_value(),
        "timeout_seconds": settings.synthetic_generator_llm_timeout_seconds,
        "retries": settings.synthetic_generator_llm_retries,
        "concurrency": settings.synthetic_generator_llm_concurrency,
    }


def build_app(settings: Settings) -> Application:
    """Construct everything; nothing connects before `serve`."""
    shared = ServiceContext.build(settings)
    store = GeneratorStore()
    service = GeneratorService(store, shared.outbox, shared.work)
    shared.broker.include_router(build_router(service, shared.inbox))
    # Its fork server starts with the first request: an idle service stays small.
    children = ChildPool(warm_up_modules=FORK_SERVER_MODULES, threads=1, telemetry=shared.telemetry)
    generate_worker = GenerateWorker(
        service=service,
        store=store,
        queue=shared.work,
        artifacts=shared.artifacts,
        children=children,
        deadline_seconds=settings.synthetic_generator_deadline_seconds,
        threads=settings.synthetic_generator_threads,
        domains=settings.synthetic_generator_domains,
        endpoint=_build_endpoint(settings),
    )
    worker = shared.worker({GENERATE: generate_worker}, slots=settings.synthetic_generator_slots)
    return Application(shared, background=[worker])
