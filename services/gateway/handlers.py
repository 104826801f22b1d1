"""Consumers of the gateway: events for its read models, and dead letters."""

from __future__ import annotations

from archon_contracts.base import Contract
from archon_contracts.events import AgentConfigured
from archon_contracts.topics import DEAD_LETTER_TOPICS, METRICS
from services.gateway.dead_letters.service import DeadLetterService
from services.gateway.feedback.known_agents import KnownAgents
from services.gateway.http.transactions import Transactions
from services.gateway.metrics.intake import MAXIMUM_RECORDS, MetricsIntake
from services.gateway.read_models.projections import (
    PROJECTED_EVENTS,
    PROJECTED_TOPICS,
    STREAMED_EVENTS,
    Projections,
)
from services.gateway.sse.event_hub import EventHub
from services.gateway.sse.events import to_streamed_event
from services.gateway.webhooks.service import Webhooks
from shared.kafka.broker import Router, new_router, raw_subscription, subscription
from shared.messaging.inbox import Inbox
from shared.messaging.messages import Message, RawRecord
from shared.postgres.database import Tx

SERVICE = "gateway"


def build_router(
    projections: Projections,
    inbox: Inbox,
    event_hub: EventHub,
    known_agents: KnownAgents,
    webhooks: Webhooks,
) -> Router:
    """Events into read models and webhooks; committed events also go to the open streams."""
    router = new_router()
    events = subscription(router, SERVICE, *PROJECTED_TOPICS)

    async def record(tx: Tx, message: Message[Contract]) -> None:
        await projections.project(tx, message)
        await webhooks.enqueue(tx, message)

    async def project(message: Message[Contract]) -> None:
        await inbox.run_once(message, record)
        if isinstance(message.body, AgentConfigured):
            known_agents.add(message.body.tenant_id, message.body.agent_id)
        # After the commit: a stream must not show what may still be rolled back.
        if type(message.body) in STREAMED_EVENTS:
            event_hub.publish(to_streamed_event(message))

    for contract in PROJECTED_EVENTS:
        events.on(contract)(project)
    return router


def build_metrics_router(intake: MetricsIntake) -> Router:
    """Points of training runs, by the batch."""
    router = new_router()
    points = raw_subscription(
        router,
        SERVICE,
        METRICS,
        group_suffix="metrics",
        batch=True,
        max_records=MAXIMUM_RECORDS,
    )

    @points.on_batch
    async def store_points(records: list[RawRecord]) -> None:
        await intake.consume(records)

    return router


def build_dead_letter_router(
    dead_letters: DeadLetterService, transactions: Transactions, webhooks: Webhooks
) -> Router:
    """Dead letters, read raw: they are whatever a service could not read."""
    router = new_router()
    letters = raw_subscription(router, SERVICE, *DEAD_LETTER_TOPICS, group_suffix="dead-letters")

    @letters.on_record
    async def store_letter(record: RawRecord) -> None:
        async with transactions.across_tenants() as tx:
            await dead_letters.add(tx, record)
            await webhooks.enqueue_letter(tx, record)

    return router
