"""Builds the gateway."""

from __future__ import annotations

from functools import partial

from aiokafka import AIOKafkaProducer

from services.gateway.api import Api
from services.gateway.api_keys import ApiKeys
from services.gateway.datasets import Datasets
from services.gateway.dead_letter_store import DeadLetterStore
from services.gateway.dead_letters import DeadLetters
from services.gateway.event_store import EventStore
from services.gateway.feed import Feed
from services.gateway.feedback_tally import FeedbackTally
from services.gateway.functions import Functions
from services.gateway.handlers import build_router, build_side_router
from services.gateway.intake import Intake
from services.gateway.known_agents import KnownAgents
from services.gateway.projection_store import ProjectionStore
from services.gateway.projections import Projections
from services.gateway.reading import Reading
from services.gateway.routes import build_http
from services.gateway.service import GatewayService
from services.gateway.settings import Settings
from services.gateway.store import Store
from services.gateway.transactions import Transactions
from shared.application import Application, Periodic
from shared.foundation import Foundation
from shared.kafka_security import client_arguments
from shared.listeners import Listener


def build_app(settings: Settings) -> Application:
    """Construct everything; nothing connects before `serve`."""
    shared = Foundation.build(settings)
    events, store = EventStore(), ProjectionStore()
    api = _build_api(
        settings, shared, Feed(shared.database, events, keep=settings.gateway_recent_events)
    )
    projections = Projections(store, events)
    router = build_router(projections, shared.inbox, api.feed, api.known_agents)
    tally = FeedbackTally(store)
    shared.broker.include_router(router)
    shared.broker.include_router(build_side_router(api.dead_letters, tally, api.transactions))
    on_start = [api.known_agents.load, api.intake.start]
    if settings.gateway_bootstrap_api_key is not None:
        key = settings.gateway_bootstrap_api_key.get_secret_value()
        on_start.append(partial(api.keys.bootstrap, key))
    listener = Listener(
        build_http(api), settings.gateway_host, settings.gateway_port, "ARCHON_GATEWAY_PORT"
    )
    forgetting = Periodic("dead letters", 3600.0, partial(_forget_letters, api))
    return Application(
        shared,
        background=[api.intake, api.feed, forgetting],
        listeners=[listener],
        on_start=on_start,
    )


async def _forget_letters(api: Api) -> None:
    async with api.transactions.writing() as tx:
        await api.dead_letters.prune(tx)


def _build_api(settings: Settings, shared: Foundation, feed: Feed) -> Api:
    store, letters = Store(), DeadLetterStore()
    return Api(
        settings=settings,
        clock=shared.clock,
        keys=ApiKeys(shared.database, store),
        transactions=Transactions(shared.database, shared.wakeups),
        artifacts=shared.artifacts,
        intake=_build_intake(settings, shared),
        known_agents=KnownAgents(shared.database, store),
        service=GatewayService(store, shared.outbox, shared.clock),
        datasets=Datasets(store),
        functions=Functions(store, shared.artifacts, shared.clock),
        dead_letters=DeadLetters(letters, shared.outbox, shared.clock),
        feed=feed,
        reading=Reading(store, letters, shared.clock),
    )


def _build_intake(settings: Settings, shared: Foundation) -> Intake:
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
    return Intake(connect, shared.clock, timeout_seconds=settings.gateway_ack_timeout_seconds)
