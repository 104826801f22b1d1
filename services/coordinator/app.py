"""The coordinator, put together."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from services.coordinator.agents import AgentService
from services.coordinator.feedback.consumer import Intake, Ledger
from services.coordinator.feedback.known_agents import KnownAgents
from services.coordinator.feedback.store import FeedbackStore
from services.coordinator.handlers import build_router
from services.coordinator.jobs.dispatcher import Orders
from services.coordinator.jobs.spans import SpanLedger
from services.coordinator.jobs.transitions import Transitions
from services.coordinator.lifecycle import Flow
from services.coordinator.requests import WishService
from services.coordinator.retraining.agent_queue import Turns
from services.coordinator.retraining.windows import Windows
from services.coordinator.scheduling.slots import Slots
from services.coordinator.service import JobService
from services.coordinator.settings import HOUR, Settings
from services.coordinator.store import Store
from services.coordinator.sweeper import Pruner, Sweeper
from shared.process.application import Application, Periodic
from shared.process.service_context import Foundation

COLLECTOR_THRESHOLDS: Final = (100_000, 20, 20)
"""Objects made before a look at the young ones, and looks before one at the older ones."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The coordinator's own collaborators."""

    agents: AgentService
    jobs: JobService
    wishes: WishService
    intake: Intake
    sweeper: Sweeper
    pruner: Pruner


def build_parts(settings: Settings, shared: Foundation) -> Parts:
    """Wire them up, from the mechanism to the edges."""
    clock, outbox, limits = shared.clock, shared.outbox, settings.limits
    store, feedback, spans = Store(), FeedbackStore(), SpanLedger(settings.service)
    transitions = Transitions(store, outbox, spans, limits, clock)
    orders = Orders(store, outbox, revision=settings.revision)
    silence = settings.worker_silence_seconds
    slots = Slots(store, transitions, orders, clock, silence_seconds=silence)
    windows = Windows(feedback, shared.artifacts, spans, outbox, clock)
    turns = Turns(feedback, store, windows, transitions, orders, clock)
    flow = Flow(transitions, orders, turns, slots, limits)
    return Parts(
        agents=AgentService(store, turns, outbox, shared.audit, clock),
        jobs=JobService(store, flow, turns, slots, windows),
        wishes=WishService(store, flow, turns, shared.audit, clock),
        intake=_intake(settings, shared, Ledger(feedback, turns, outbox, clock), feedback),
        sweeper=Sweeper(shared.database, shared.wakeups, store, flow, turns, clock),
        pruner=Pruner(
            shared.database,
            feedback,
            clock,
            keep=timedelta(days=settings.interaction_days),
        ),
    )


def _intake(
    settings: Settings, shared: Foundation, ledger: Ledger, feedback: FeedbackStore
) -> Intake:
    patience = settings.unknown_agent_wait_seconds
    agents = KnownAgents(shared.database, feedback, patience_seconds=patience)
    limit = settings.feedback_max_bytes
    return Intake(shared.database, shared.wakeups, agents, ledger, maximum_bytes=limit)


async def spare_the_collector() -> None:
    """Let the garbage collector look less often.

    A batch is hundreds of thousands of objects that live for milliseconds and form no cycles. By
    default they are walked again and again, which was a third of the intake's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)


def build_app(settings: Settings) -> Application:
    """The service, ready to be served."""
    shared = Foundation.build(settings)
    parts = build_parts(settings, shared)
    batch = settings.feedback_batch
    shared.broker.include_router(
        build_router(
            parts.agents,
            parts.jobs,
            parts.wishes,
            parts.intake,
            shared.inbox,
            feedback_batch=batch,
        )
    )
    return Application(
        shared,
        background=[
            Periodic("sweeper", settings.sweep_seconds, parts.sweeper.sweep),
            Periodic("interactions", HOUR, parts.pruner.prune),
        ],
        on_start=[spare_the_collector],
    )
