"""Builds the curriculum service."""

from __future__ import annotations

from services.curriculum.handlers import build_router
from services.curriculum.pacing import Mastery
from services.curriculum.service import CurriculumService
from services.curriculum.settings import Settings
from services.curriculum.store import Store
from shared.process.application import Application
from shared.process.service_context import Foundation


def build_app(settings: Settings) -> Application:
    """Construct everything; nothing connects before `serve`."""
    shared = Foundation.build(settings)
    mastery = Mastery(
        to_leave=settings.curriculum_mastery,
        gap=settings.curriculum_gap,
        memory=settings.curriculum_memory,
    )
    service = CurriculumService(Store(), shared.outbox, mastery)
    shared.broker.include_router(build_router(service, shared.inbox))
    return Application(shared)
