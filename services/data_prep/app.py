"""Builds data preparation."""

from __future__ import annotations

from services.data_prep.domain import Policy
from services.data_prep.handlers import build_router
from services.data_prep.service import PREPARE, DataPrepService
from services.data_prep.settings import Settings
from services.data_prep.store import Store
from services.data_prep.worker import PrepareWorker
from shared.process.application import Application
from shared.process.service_context import Foundation


def build_app(settings: Settings) -> Application:
    """Construct everything; nothing connects before `serve`."""
    shared = Foundation.build(settings)
    policy = policy_of(settings)
    service = DataPrepService(Store(), shared.outbox, shared.work, policy)
    shared.broker.include_router(build_router(service, shared.inbox))
    preparing = PrepareWorker(service, shared.work, shared.artifacts, policy)
    worker = shared.worker({PREPARE: preparing}, slots=settings.data_prep_slots)
    return Application(shared, background=[worker])


def policy_of(settings: Settings) -> Policy:
    """The rules of this installation."""
    return Policy(
        near_duplicate_threshold=settings.data_prep_near_duplicate_threshold,
        exact_comparison_limit=settings.data_prep_exact_comparison_limit,
        replay_capacity=settings.data_prep_replay_capacity,
        validation_share_with_suite=settings.data_prep_validation_share_with_suite,
        augmentation_share=settings.data_prep_augmentation_share,
    )
