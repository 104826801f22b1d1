"""Builds the registry."""

from __future__ import annotations

from datetime import timedelta

from services.registry.archiving import Archiving
from services.registry.artifact_checks import ArtifactChecks
from services.registry.domain import RetentionPolicy
from services.registry.handlers import build_router
from services.registry.rollout.service import Rollouts
from services.registry.rollout.store import ExperimentStore
from services.registry.rollout.sweeper import ExperimentSweeper
from services.registry.service import RegistryService
from services.registry.settings import Settings
from services.registry.store import ModelStore
from shared.process.application import Application
from shared.process.periodic import Periodic
from shared.process.service_context import ServiceContext

SWEEP_SECONDS = 60.0


def build_app(settings: Settings) -> Application:
    """Construct everything; nothing connects before `serve`."""
    shared, models, experiments = ServiceContext.build(settings), ModelStore(), ExperimentStore()
    rollouts = Rollouts(models, experiments, shared.outbox, shared.audit, shared.clock)
    service = RegistryService(
        models,
        rollouts,
        shared.outbox,
        shared.audit,
        shared.clock,
        ArtifactChecks(shared.artifacts),
        _retention(settings),
    )
    archiving = Archiving(models, shared.outbox, shared.audit, shared.clock)
    sweeper = ExperimentSweeper(
        shared.database, shared.notifier, experiments, rollouts, shared.clock
    )
    shared.broker.include_router(build_router(service, archiving, rollouts, shared.inbox))
    background = [Periodic("experiments", SWEEP_SECONDS, sweeper.sweep)]
    return Application(shared, background=background)


def _retention(settings: Settings) -> RetentionPolicy | None:
    if not settings.registry_keep_versions:
        return None
    return RetentionPolicy(
        keep_newest=settings.registry_keep_versions,
        deployed_within=timedelta(days=settings.registry_deployed_within_days),
    )
