"""Construction of the gateway from its settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from archon_contracts.topics import FEEDBACK
from services.gateway.audit.store import AuditStore
from services.gateway.audit.trail import AuditTrail
from services.gateway.auth.admission import Admission, RateLimits
from services.gateway.auth.authenticator import ApiKeyAuthenticator
from services.gateway.auth.sessions import Sessions
from services.gateway.auth.token_bucket import RateLimit
from services.gateway.dashboard.site import add_dashboard
from services.gateway.dataset_versions.service import DatasetVersions
from services.gateway.dataset_versions.store import DatasetVersionStore
from services.gateway.datasets import Datasets
from services.gateway.dead_letters.service import DeadLetterService
from services.gateway.dead_letters.store import DeadLetterStore
from services.gateway.feedback.known_agents import KnownAgents
from services.gateway.feedback.producer import FeedbackProducer
from services.gateway.functions.benchmark_store import BenchmarkStore
from services.gateway.functions.benchmarks import Benchmarks
from services.gateway.functions.log_analyses import LogAnalyses
from services.gateway.functions.log_analysis_store import LogAnalysisStore
from services.gateway.functions.service import FunctionService
from services.gateway.handlers import (
    build_dead_letter_router,
    build_metrics_router,
    build_router,
)
from services.gateway.http.transactions import Transactions
from services.gateway.idempotency import Idempotency
from services.gateway.key_admin import KeyAdministration
from services.gateway.load.load_shedding import Backpressure, InFlightLimit, OutboxMonitor
from services.gateway.load.outbox_backlog import OutboxLimits
from services.gateway.load.store import OutboxBacklogStore
from services.gateway.load.tenant_limits import TenantLimits
from services.gateway.metrics.intake import MetricsIntake
from services.gateway.metrics.queries import MetricQueries
from services.gateway.metrics.store import MetricReads
from services.gateway.models.commands import ModelCommands
from services.gateway.models.queries import ModelQueries
from services.gateway.models.store import ModelReads
from services.gateway.read_models.curricula import CurriculumReadModel
from services.gateway.read_models.experiments import ExperimentReadModel
from services.gateway.read_models.feedback_history import FeedbackHistoryReadModel
from services.gateway.read_models.projection_store import ProjectionStore
from services.gateway.read_models.projections import Projections
from services.gateway.read_models.queries import QueryService
from services.gateway.reports.service import RunReports
from services.gateway.reviews.service import Reviews
from services.gateway.reviews.store import ReviewStore
from services.gateway.routes import build_http
from services.gateway.routes.dependencies import GatewayApi
from services.gateway.service import GatewayService
from services.gateway.settings import Settings
from services.gateway.sse.event_hub import EventHub
from services.gateway.sse.event_store import EventStore
from services.gateway.sse.streams import StreamLimiter
from services.gateway.store import GatewayStore
from services.gateway.webhooks.addresses import parse_networks
from services.gateway.webhooks.sender import POLL_SECONDS, WebhookSender
from services.gateway.webhooks.service import Webhooks
from services.gateway.webhooks.store import WebhookStore
from shared.kafka.producer import HealingProducer, producer_factory
from shared.kafka.refusals import principal_of
from shared.kafka.security import client_arguments
from shared.kafka.topic_admin import read_topics
from shared.kafka.topic_limits import read_topic_limits
from shared.messaging.gateway_mac import GatewayMac
from shared.process.application import Application
from shared.process.listeners import Listener
from shared.process.periodic import Periodic
from shared.process.service_context import ServiceContext


def build_app(settings: Settings) -> Application:
    """Construct everything; nothing connects before `serve`."""
    shared = ServiceContext.build(settings)
    events = EventStore()
    api = _build_api(
        settings,
        shared,
        EventHub(shared.database, events, keep=settings.gateway_recent_events),
    )
    store = ProjectionStore()
    projections = Projections(store, AuditStore(), events, LogAnalysisStore())
    router = build_router(projections, shared.inbox, api.event_hub, api.known_agents, api.webhooks)
    shared.broker.include_router(router)
    intake = MetricsIntake(shared.database, shared.notifier, store, shared.outbox)
    shared.broker.include_router(build_metrics_router(intake))
    shared.broker.include_router(
        build_dead_letter_router(api.dead_letters, api.transactions, api.webhooks)
    )
    on_start: list[Callable[[], Awaitable[None]]] = [
        partial(_keep_partitions, settings, shared),
        api.known_agents.load,
        api.feedback_producer.start,
        api.feedback_producer.warn_of_limits,
    ]
    if settings.gateway_bootstrap_api_key is not None:
        key = settings.gateway_bootstrap_api_key.get_secret_value()
        on_start.append(partial(api.authenticator.bootstrap, key))
    http = build_http(api)
    add_dashboard(http, api)
    listener = Listener(
        http,
        settings.gateway_host,
        settings.gateway_port,
        "ARCHON_GATEWAY_PORT",
        trusted_proxies=settings.gateway_trusted_proxies,
    )
    monitor = Periodic(
        "outbox-monitor", settings.gateway_outbox_poll_seconds, api.backpressure.outbox.poll
    )
    pruning = Periodic("pruning", 3600.0, partial(_prune, api))
    partitions = Periodic("partitions", 3600.0, partial(_keep_partitions, settings, shared))
    return Application(
        shared,
        background=[
            api.feedback_producer,
            api.event_hub,
            monitor,
            pruning,
            partitions,
            _build_webhook_sender(settings, shared),
        ],
        listeners=[listener],
        on_start=on_start,
    )


async def _prune(api: GatewayApi) -> None:
    async with api.transactions.across_tenants() as tx:
        await api.dead_letters.prune(tx)
        await api.idempotency.prune(tx)
        await api.sessions.prune(tx)
        await api.webhooks.prune(tx)


async def _keep_partitions(settings: Settings, shared: ServiceContext) -> None:
    async with shared.database.transaction() as tx:
        await MetricReads().keep_partitions(tx, keep_days=settings.gateway_metrics_keep_days)


def _build_api(settings: Settings, shared: ServiceContext, event_hub: EventHub) -> GatewayApi:
    store, letters = GatewayStore(), DeadLetterStore()
    queries = QueryService(store, letters, shared.clock)
    authenticator, backpressure = (
        ApiKeyAuthenticator(shared.database, store),
        _build_backpressure(settings, shared),
    )
    return GatewayApi(
        settings=settings,
        clock=shared.clock,
        authenticator=authenticator,
        key_administration=KeyAdministration(
            store, shared.audit, shared.clock, max_keys=settings.gateway_keys_per_tenant
        ),
        admission=Admission(authenticator, _build_rate_limits(settings)),
        backpressure=backpressure,
        transactions=Transactions(shared.database, shared.notifier),
        artifacts=shared.artifacts,
        feedback_producer=_build_producer(settings, shared, backpressure.events),
        known_agents=KnownAgents(shared.database, store),
        service=GatewayService(
            store,
            shared.outbox,
            shared.clock,
            TenantLimits(store, shared.clock, max_jobs=settings.gateway_jobs_per_tenant),
            _build_mac(settings),
        ),
        datasets=Datasets(store),
        idempotency=Idempotency(store),
        functions=FunctionService(store, shared.artifacts, shared.clock),
        benchmarks=_build_benchmarks(settings, shared, store),
        log_analyses=_build_log_analyses(settings, shared, store),
        dead_letters=DeadLetterService(letters, shared.outbox, shared.audit, shared.clock),
        audit=AuditTrail(AuditStore()),
        event_hub=event_hub,
        stream_limiter=StreamLimiter(
            authenticator,
            limit=settings.gateway_streams_per_key,
            check_seconds=settings.gateway_stream_check_seconds,
        ),
        queries=queries,
        experiments=ExperimentReadModel(),
        curricula=CurriculumReadModel(),
        feedback_history=FeedbackHistoryReadModel(shared.clock),
        metrics=MetricQueries(queries, MetricReads()),
        models=ModelQueries(queries, ModelReads(), shared.artifacts),
        model_commands=ModelCommands(store, shared.outbox),
        reports=RunReports(shared.artifacts),
        dataset_versions=DatasetVersions(DatasetVersionStore(), shared.artifacts),
        reviews=Reviews(store, ReviewStore(), shared.clock),
        sessions=Sessions(),
        webhooks=_build_webhooks(settings, shared),
        read_topics=partial(read_topics, client_arguments(settings), settings.kafka_namespace),
    )


def _build_webhooks(settings: Settings, shared: ServiceContext) -> Webhooks:
    allowed = parse_networks(settings.gateway_webhook_private_networks)
    return Webhooks(WebhookStore(), shared.audit, shared.clock, allowed)


def _build_webhook_sender(settings: Settings, shared: ServiceContext) -> Periodic:
    allowed = parse_networks(settings.gateway_webhook_private_networks)
    sender = WebhookSender(shared.database, WebhookStore(), shared.clock, allowed)
    return Periodic("webhooks", POLL_SECONDS, sender.run_once)


def _build_benchmarks(
    settings: Settings, shared: ServiceContext, store: GatewayStore
) -> Benchmarks:
    return Benchmarks(
        store,
        BenchmarkStore(),
        shared.outbox,
        shared.artifacts,
        shared.clock,
        max_open=settings.gateway_jobs_per_tenant,
    )


def _build_log_analyses(
    settings: Settings, shared: ServiceContext, store: GatewayStore
) -> LogAnalyses:
    return LogAnalyses(
        store,
        LogAnalysisStore(),
        BenchmarkStore(),
        shared.outbox,
        shared.artifacts,
        shared.clock,
        max_open=settings.gateway_jobs_per_tenant,
    )


def _build_mac(settings: Settings) -> GatewayMac | None:
    key = settings.gateway_mac_key
    return GatewayMac(key.get_secret_value()) if key else None


def _build_rate_limits(settings: Settings) -> RateLimits:
    def per_second(name: str, rate: float, what: str, subject: str = "key") -> RateLimit:
        capacity = rate * settings.gateway_burst_seconds
        reason = f"more than {rate:g} {what} a second with this {subject}"
        return RateLimit(name, rate=rate, capacity=capacity, reason=reason)

    requests, events = settings.gateway_requests_per_second, settings.gateway_events_per_second
    many = settings.gateway_tenant_rate_multiple
    wrong = settings.gateway_failed_authentications_per_minute
    reason = f"more than {wrong:g} requests a minute without a valid key from this address"
    return RateLimits(
        per_second("requests_per_second", requests, "requests"),
        per_second("events_per_second", events, "events"),
        per_second("tenant_requests_per_second", many * requests, "requests", "tenant"),
        per_second("tenant_events_per_second", many * events, "events", "tenant"),
        RateLimit(
            "failed_authentications_per_minute", rate=wrong / 60, capacity=wrong, reason=reason
        ),
    )


def _build_backpressure(settings: Settings, shared: ServiceContext) -> Backpressure:
    limits = OutboxLimits(
        age_seconds=settings.gateway_outbox_age_limit_seconds,
        backlog=settings.gateway_outbox_backlog_limit,
    )
    fraction = settings.gateway_inflight_tenant_fraction
    events, size = settings.gateway_inflight_events_limit, settings.gateway_inflight_bytes_limit
    return Backpressure(
        OutboxMonitor(shared.database, OutboxBacklogStore(), limits),
        InFlightLimit("inflight_events", events, "events", tenant_fraction=fraction),
        InFlightLimit("inflight_bytes", size, "bytes", tenant_fraction=fraction),
        InFlightLimit(
            "inflight_requests",
            settings.gateway_inflight_requests_limit,
            "requests",
            tenant_fraction=fraction,
            until="answered",
        ),
    )


def _build_producer(
    settings: Settings, shared: ServiceContext, in_flight: InFlightLimit
) -> FeedbackProducer:
    make = producer_factory(
        settings,
        "archon.gateway.intake",
        # Requests of the same moment share a batch; the acknowledgement takes longer
        # than this anyway.
        linger_ms=2,
        max_batch_size=262_144,
        # The record's headers come on top of the event's own limit.
        max_request_size=settings.gateway_event_limit_bytes + 40_000,
    )
    topic = settings.kafka_namespace.qualify(FEEDBACK.name)
    return FeedbackProducer(
        HealingProducer(FeedbackProducer.name, make, shared.broker.states),
        shared.clock,
        in_flight,
        principal=principal_of(settings),
        mac=_build_mac(settings),
        timeout_seconds=settings.gateway_ack_timeout_seconds,
        topic=topic,
        read_limits=partial(read_topic_limits, client_arguments(settings), [topic]),
        record_bytes=settings.gateway_event_limit_bytes,
    )
