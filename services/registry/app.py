"""Builds the registry."""

from __future__ import annotations

from services.registry.handlers import build_router
from services.registry.service import RegistryService
from services.registry.settings import Settings
from services.registry.store import ModelStore
from shared.process.application import Application
from shared.process.service_context import ServiceContext


def build_app(settings: Settings) -> Application:
    """Construct everything; nothing connects before `serve`."""
    shared = ServiceContext.build(settings)
    service = RegistryService(ModelStore(), shared.outbox, shared.audit, shared.clock)
    shared.broker.include_router(build_router(service, shared.inbox))
    return Application(shared)
