"""Builds the gateway."""

from __future__ import annotations

from functools import partial

from aiokafka import AIOKafkaProducer

from services.gateway.audit.store import AuditStore
from services.gateway.audit.trail import AuditTrail
from services.gateway.auth.admission import Admission, Rates
from services.gateway.auth.authenticator import ApiKeys
from services.gateway.auth.token_bucket import RateLimit
from services.gateway.datasets import Datasets
from services.gateway.dead_letters.service import DeadLetters
from services.gateway.dead_letters.store import DeadLetterStore
from services.gateway.feedback.counters import FeedbackTally
from services.gateway.feedback.known_agents import KnownAgents
from services.gateway.feedback.producer import Intake
from services.gateway.functions.service import Functions
from services.gateway.handlers import build_router, build_side_router
from services.gateway.http.transactions import Transactions
from services.gateway.idempotency import Idempotency
from services.gateway.key_admin import KeyAdministration
from services.gateway.load.load_shedding import Budget, OutboxWatch, Pressure
from services.gateway.load.outbox_pressure import OutboxLimits
from services.gateway.read_models.projection_store import ProjectionStore
from services.gateway.read_models.projections import Projections
from services.gateway.read_models.queries import Reading
from services.gateway.routes import build_http
from services.gateway.routes.dependencies import Api
from services.gateway.service import GatewayService
from services.gateway.settings import Settings
from services.gateway.sse.event_store import EventStore
from services.gateway.sse.feed import Feed
from services.gateway.sse.streams import Streams
from services.gateway.store import Store
from shared.kafka.security import client_arguments
from shared.process.application import Application, Periodic
from shared.process.listeners import Listener
from shared.process.service_context import Foundation


def build_app(settings: Settings) -> Application:
    """Construct everything; nothing connects before `serve`."""
    shared = Foundation.build(settings)
    events, store = EventStore(), ProjectionStore()
    api = _build_api(
        settings,
        shared,
        Feed(shared.database, events, keep=settings.gateway_recent_events),
    )
    projections = Projections(store, AuditStore(), events)
    router = build_router(projections, shared.inbox, api.feed, api.known_agents)
    tally = FeedbackTally(store)
    shared.broker.include_router(router)
    shared.broker.include_router(build_side_router(api.dead_letters, tally, api.transactions))
    on_start = [api.known_agents.load, api.intake.start]
    if settings.gateway_bootstrap_api_key is not None:
        key = settings.gateway_bootstrap_api_key.get_secret_value()
        on_start.append(partial(api.keys.bootstrap, key))
    listener = Listener(
        build_http(api),
        settings.gateway_host,
        settings.gateway_port,
        "ARCHON_GATEWAY_PORT",
        trusted_proxies=settings.gateway_trusted_proxies,
    )
    watch = Periodic("outbox-watch", settings.gateway_outbox_look_seconds, api.pressure.outbox.look)
    forgetting = Periodic("forgetting", 3600.0, partial(_forget, api))
    return Application(
        shared,
        background=[api.intake, api.feed, watch, forgetting],
        listeners=[listener],
        on_start=on_start,
    )


async def _forget(api: Api) -> None:
    async with api.transactions.across_tenants() as tx:
        await api.dead_letters.prune(tx)
        await api.idempotency.prune(tx)


def _build_api(settings: Settings, shared: Foundation, feed: Feed) -> Api:
    store, letters = Store(), DeadLetterStore()
    keys, pressure = (
        ApiKeys(shared.database, store),
        _build_pressure(settings, shared, store),
    )
    return Api(
        settings=settings,
        clock=shared.clock,
        keys=keys,
        key_administration=KeyAdministration(
            store, shared.audit, shared.clock, most_keys=settings.gateway_keys_per_tenant
        ),
        admission=Admission(keys, _build_rates(settings)),
        pressure=pressure,
        transactions=Transactions(shared.database, shared.wakeups),
        artifacts=shared.artifacts,
        intake=_build_intake(settings, shared, pressure.events),
        known_agents=KnownAgents(shared.database, store),
        service=GatewayService(store, shared.outbox, shared.clock),
        datasets=Datasets(store),
        idempotency=Idempotency(store),
        functions=Functions(store, shared.artifacts, shared.clock),
        dead_letters=DeadLetters(letters, shared.outbox, shared.audit, shared.clock),
        audit=AuditTrail(AuditStore()),
        feed=feed,
        streams=Streams(
            keys,
            most=settings.gateway_streams_per_key,
            check_seconds=settings.gateway_stream_check_seconds,
        ),
        reading=Reading(store, letters, shared.clock),
    )


def _build_rates(settings: Settings) -> Rates:
    def per_second(name: str, rate: float, what: str, whose: str = "key") -> RateLimit:
        capacity = rate * settings.gateway_burst_seconds
        says = f"more than {rate:g} {what} a second with this {whose}"
        return RateLimit(name, rate=rate, capacity=capacity, says=says)

    requests, events = settings.gateway_requests_per_second, settings.gateway_events_per_second
    many = settings.gateway_tenant_rate_multiple
    wrong = settings.gateway_failed_authentications_per_minute
    says = f"more than {wrong:g} requests a minute without a good key from this address"
    return Rates(
        per_second("requests_per_second", requests, "requests"),
        per_second("events_per_second", events, "events"),
        per_second("tenant_requests_per_second", many * requests, "requests", "tenant"),
        per_second("tenant_events_per_second", many * events, "events", "tenant"),
        RateLimit("failed_authentications_per_minute", rate=wrong / 60, capacity=wrong, says=says),
    )


def _build_pressure(settings: Settings, shared: Foundation, store: Store) -> Pressure:
    limits = OutboxLimits(
        age_seconds=settings.gateway_outbox_age_limit_seconds,
        backlog=settings.gateway_outbox_backlog_limit,
    )
    share = settings.gateway_inflight_share
    events, size = settings.gateway_inflight_events_limit, settings.gateway_inflight_bytes_limit
    return Pressure(
        OutboxWatch(shared.database, store, limits),
        Budget("inflight_events", events, "events", share=share),
        Budget("inflight_bytes", size, "bytes", share=share),
    )


def _build_intake(settings: Settings, shared: Foundation, in_flight: Budget) -> Intake:
    connect = partial(
        AIOKafkaProducer,
        **client_arguments(settings),
        client_id="archon.gateway.intake",
        acks="all",
        enable_idempotence=True,
        linger_ms=2,
        max_batch_size=262_144,
        # The record's headers come on top of the event's own limit.
        max_request_size=settings.gateway_event_limit_bytes + 40_000,
        request_timeout_ms=10_000,
    )
    return Intake(
        connect, shared.clock, in_flight, timeout_seconds=settings.gateway_ack_timeout_seconds
    )
