"""Builds data preparation."""

from __future__ import annotations

from typing import Any

from services.data_prep.child import FORK_SERVER_MODULES
from services.data_prep.domain import PreparationPolicy
from services.data_prep.handlers import build_router
from services.data_prep.service import PREPARE, PREPARE_UPDATE, DataPrepService
from services.data_prep.settings import Settings
from services.data_prep.store import DataPrepStore
from services.data_prep.worker import PrepareWorker
from shared.logging import get_logger
from shared.process.application import Application
from shared.process.service_context import ServiceContext
from shared.work.child_pool import ChildPool
from shared.work.resident_child import ResidentChild

log = get_logger(__name__)


def build_app(settings: Settings) -> Application:
    """Construct everything; nothing connects before `serve`."""
    shared = ServiceContext.build(settings)
    policy = build_policy(settings)
    service = DataPrepService(
        DataPrepStore(), shared.outbox, shared.work, policy, read_sampling_secret(settings)
    )
    shared.broker.include_router(build_router(service, shared.inbox))
    # Its fork server starts with the first preparation: an idle service stays small.
    children = ChildPool(warm_up_modules=FORK_SERVER_MODULES, threads=1, telemetry=shared.telemetry)
    # What it needs for one correction is mostly imports: it stays, with scikit-learn loaded.
    resident = ResidentChild(
        warm_up_modules=FORK_SERVER_MODULES, threads=1, telemetry=shared.telemetry
    )
    collaborators: dict[str, Any] = {
        "service": service,
        "queue": shared.work,
        "artifacts": shared.artifacts,
        "policy": policy,
        "clock": shared.clock,
        "deadline_seconds": settings.data_prep_deadline_seconds,
    }
    windows = PrepareWorker(children=children, **collaborators)
    updates = PrepareWorker(children=resident, **collaborators)
    lanes = [
        shared.worker({PREPARE: windows}, slots=settings.data_prep_slots),
        shared.worker({PREPARE_UPDATE: updates}, slots=1),
    ]
    return Application(shared, background=lanes)


def read_sampling_secret(settings: Settings) -> bytes:
    """The key of every sample; empty, with a warning, where none is set."""
    if settings.data_prep_sampling_secret is None:
        log.warning("sampling_secret_missing", set="ARCHON_DATA_PREP_SAMPLING_SECRET")
        return b""
    return settings.data_prep_sampling_secret.get_secret_value().encode()


def build_policy(settings: Settings) -> PreparationPolicy:
    """The rules of this installation."""
    return PreparationPolicy(
        near_duplicate_threshold=settings.data_prep_near_duplicate_threshold,
        exact_comparison_limit=settings.data_prep_exact_comparison_limit,
        replay_capacity=settings.data_prep_replay_capacity,
        validation_share_with_suite=settings.data_prep_validation_share_with_suite,
        augmentation_share=settings.data_prep_augmentation_share,
    )
