"""The coordinator, put together."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from services.coordinator.agents import AgentService
from services.coordinator.feedback.consumer import FeedbackConsumer, FeedbackWriter
from services.coordinator.feedback.correction_store import CorrectionStore
from services.coordinator.feedback.count_publisher import CountPublisher
from services.coordinator.feedback.known_agents import ConfiguredAgentsCache
from services.coordinator.feedback.store import FeedbackStore
from services.coordinator.handlers import build_router
from services.coordinator.jobs.dispatcher import CommandDispatcher
from services.coordinator.jobs.source_work import PUBLISH_SOURCES
from services.coordinator.jobs.spans import SpanWriter
from services.coordinator.jobs.transitions import JobTransitions
from services.coordinator.lifecycle import JobLifecycle
from services.coordinator.log_export.service import EXPORT_LOGS, LogExport
from services.coordinator.log_export.store import LogStore
from services.coordinator.requests import RequestService
from services.coordinator.retraining.agent_queue import AgentQueue
from services.coordinator.retraining.awaited_feedback import AwaitedFeedback
from services.coordinator.retraining.fast_path import FastPath
from services.coordinator.retraining.sources import SourcePublisher
from services.coordinator.retraining.window_ends import WindowEnds
from services.coordinator.retraining.window_store import WindowStore
from services.coordinator.retraining.windows import Windows
from services.coordinator.retraining.withdrawal_store import WithdrawalStore
from services.coordinator.retraining.withdrawals import Withdrawals
from services.coordinator.scheduling.slots import SlotAllocator
from services.coordinator.service import JobService
from services.coordinator.settings import HOUR, Settings
from services.coordinator.store import JobStore
from services.coordinator.sweeper import RetentionJob, Sweeper
from services.coordinator.worker import SourceWorker
from shared.logging import get_logger
from shared.messaging.gateway_mac import KEY_VARIABLE, GatewayMac
from shared.ports import Clock
from shared.process.application import Application
from shared.process.periodic import Periodic
from shared.process.service_context import ServiceContext

log = get_logger(__name__)
COLLECTOR_THRESHOLDS: Final = (100_000, 20, 20)
"""Objects made before a look at the young ones, and looks before one at the older ones."""
SOURCE_SLOTS: Final = 2
"""Jobs whose sources are published at the same time; more would not be faster on one link."""


@dataclass(frozen=True, slots=True)
class CoordinatorComponents:
    """The coordinator's own collaborators."""

    agents: AgentService
    jobs: JobService
    requests: RequestService
    consumer: FeedbackConsumer
    count_publisher: CountPublisher
    sweeper: Sweeper
    pruner: RetentionJob
    source_worker: SourceWorker
    log_export: LogExport


def build_components(settings: Settings, shared: ServiceContext) -> CoordinatorComponents:
    """Wire them up, from the mechanism to the edges."""
    clock, outbox, limits = shared.clock, shared.outbox, settings.limits
    store, feedback, spans = JobStore(), FeedbackStore(), SpanWriter(settings.service)
    transitions = JobTransitions(store, outbox, spans, limits, clock)
    dispatcher = CommandDispatcher(store, outbox, shared.work, revision=settings.revision)
    slots = _build_slots(settings, clock, store, transitions, dispatcher)
    windows, corrections = Windows(feedback, spans, outbox, clock), CorrectionStore()
    fast_path = FastPath(corrections, clock)
    withdrawals = Withdrawals(WithdrawalStore(), transitions, outbox, clock)
    window_store, wait = WindowStore(), settings.feedback_wait_seconds
    agent_queue = AgentQueue(
        feedback,
        store,
        AwaitedFeedback(window_store, transitions, clock, wait_seconds=wait),
        windows,
        fast_path,
        withdrawals,
        transitions,
        dispatcher,
        outbox,
        clock,
    )
    window_ends = WindowEnds(feedback, window_store, store, outbox, clock)
    lifecycle = JobLifecycle(
        transitions, dispatcher, agent_queue, slots, window_ends, store, limits, clock
    )
    jobs = JobService(store, lifecycle, agent_queue, slots, window_ends)
    publisher, mac = SourcePublisher(feedback, store, shared.artifacts), build_mac(settings)
    return CoordinatorComponents(
        agents=AgentService(store, agent_queue, window_ends, outbox, shared.audit, clock, mac),
        jobs=jobs,
        requests=RequestService(
            store,
            lifecycle,
            agent_queue,
            window_ends,
            shared.audit,
            clock,
            max_jobs=settings.jobs_per_tenant,
        ),
        consumer=_build_consumer(
            settings, shared, FeedbackWriter(feedback, agent_queue, outbox, clock), feedback, mac
        ),
        count_publisher=CountPublisher(shared.database, shared.notifier, feedback, outbox),
        sweeper=Sweeper(shared.database, shared.notifier, store, lifecycle, agent_queue, clock),
        pruner=RetentionJob(
            shared.database,
            feedback,
            clock,
            keep=timedelta(days=settings.interaction_days),
        ),
        source_worker=SourceWorker(jobs, publisher, shared.work, corrections),
        log_export=LogExport(LogStore(), shared.artifacts, shared.work, outbox),
    )


def _build_slots(
    settings: Settings,
    clock: Clock,
    store: JobStore,
    transitions: JobTransitions,
    dispatcher: CommandDispatcher,
) -> SlotAllocator:
    return SlotAllocator(
        store,
        transitions,
        dispatcher,
        clock,
        report_timeout_seconds=settings.worker_report_timeout_seconds,
        weights=settings.tenant_weights,
    )


def _build_consumer(
    settings: Settings,
    shared: ServiceContext,
    writer: FeedbackWriter,
    feedback: FeedbackStore,
    mac: GatewayMac | None,
) -> FeedbackConsumer:
    wait = settings.unknown_agent_wait_seconds
    agents = ConfiguredAgentsCache(shared.database, feedback, wait_seconds=wait)
    limit = settings.feedback_max_bytes
    return FeedbackConsumer(
        shared.database,
        shared.notifier,
        agents,
        writer,
        maximum_bytes=limit,
        mac=mac,
    )


def build_mac(settings: Settings) -> GatewayMac | None:
    """What proves that the gateway checked a record; None: writers of the topics are believed."""
    if settings.gateway_mac_key is None:
        log.warning("kafka_writers_are_believed", hint=f"set {KEY_VARIABLE}, as at the gateway")
        return None
    return GatewayMac(settings.gateway_mac_key.get_secret_value())


async def relax_garbage_collector() -> None:
    """Let the garbage collector look less often.

    A batch is hundreds of thousands of objects that live for milliseconds and form no cycles. By
    default they are walked again and again, which was a third of the consumer's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)


def build_app(settings: Settings) -> Application:
    """The service, ready to be served."""
    shared = ServiceContext.build(settings)
    components = build_components(settings, shared)
    batch = settings.feedback_batch
    shared.broker.include_router(
        build_router(
            components.agents,
            components.jobs,
            components.requests,
            components.consumer,
            shared.inbox,
            log_export=components.log_export,
            feedback_batch=batch,
        )
    )
    return Application(
        shared,
        background=[
            components.count_publisher,
            Periodic("sweeper", settings.sweep_seconds, components.sweeper.sweep),
            Periodic("retention", HOUR, components.pruner.prune),
            shared.worker({PUBLISH_SOURCES: components.source_worker}, slots=SOURCE_SLOTS),
            # A slot of their own: what people look at must not hold up a job.
            shared.worker({EXPORT_LOGS: components.log_export}, slots=1),
        ],
        on_start=[relax_garbage_collector],
    )
