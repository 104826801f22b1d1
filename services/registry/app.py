"""Builds the registry."""

from __future__ import annotations

from datetime import timedelta

from services.registry.archiving import Archiving
from services.registry.artifact_checks import ArtifactChecks
from services.registry.domain import RetentionPolicy
from services.registry.handlers import build_router
from services.registry.service import RegistryService
from services.registry.settings import Settings
from services.registry.store import ModelStore
from shared.process.application import Application
from shared.process.service_context import ServiceContext


def build_app(settings: Settings) -> Application:
    """Construct everything; nothing connects before `serve`."""
    shared, models = ServiceContext.build(settings), ModelStore()
    service = RegistryService(
        models,
        shared.outbox,
        shared.audit,
        shared.clock,
        ArtifactChecks(shared.artifacts),
        _retention(settings),
    )
    archiving = Archiving(models, shared.outbox, shared.audit, shared.clock)
    shared.broker.include_router(build_router(service, archiving, shared.inbox))
    return Application(shared)


def _retention(settings: Settings) -> RetentionPolicy | None:
    if not settings.registry_keep_versions:
        return None
    return RetentionPolicy(
        keep_newest=settings.registry_keep_versions,
        deployed_within=timedelta(days=settings.registry_deployed_within_days),
    )
