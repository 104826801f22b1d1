"""Builds the curriculum service."""

from __future__ import annotations

from services.curriculum.handlers import build_router
from services.curriculum.pacing import MasteryThresholds
from services.curriculum.service import CurriculumService
from services.curriculum.settings import Settings
from services.curriculum.store import CurriculumStore
from shared.process.application import Application
from shared.process.service_context import ServiceContext


def build_app(settings: Settings) -> Application:
    """Construct everything; nothing connects before `serve`."""
    shared = ServiceContext.build(settings)
    mastery = MasteryThresholds(
        advance_rates=settings.curriculum_mastery,
        gap=settings.curriculum_gap,
        memory=settings.curriculum_memory,
    )
    service = CurriculumService(CurriculumStore(), shared.outbox, mastery)
    shared.broker.include_router(build_router(service, shared.inbox))
    return Application(shared)
