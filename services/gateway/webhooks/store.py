"""Webhooks and their deliveries, as stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.gateway.webhooks.views import DeliveryView, WebhookView
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A request that this process is to make now."""

    delivery_id: UUID
    payload: str
    attempts: int
    created_at: datetime
    url: str
    secret: str = field(repr=False)


class WebhookStore:
    """Takes `tx` and never commits."""

    def __init__(self) -> None:
        self._queries = load_queries("services.gateway")

    async def add(
        self,
        tx: Tx,
        tenant_id: str,
        webhook_id: UUID,
        *,
        url: str,
        events: Sequence[str],
        agents: Sequence[str] | None,
        secret: str,
    ) -> bool:
        """Add a webhook; false: there is one with this id."""
        added = await self._queries.insert_webhook(
            tx,
            webhook_id=webhook_id,
            tenant_id=tenant_id,
            url=url,
            events=list(events),
            agents=None if agents is None else list(agents),
            secret=secret,
        )
        return _changed(added)

    async def webhooks(
        self,
        tx: Tx,
        tenant_id: str,
        *,
        webhook_id: UUID | None = None,
        limit: int = 1,
        offset: int = 0,
    ) -> list[WebhookView]:
        """A tenant's webhooks, newest first, or one of them."""
        rows = self._queries.webhooks(
            tx, tenant_id=tenant_id, webhook_id=webhook_id, limit=limit, offset=offset
        )
        return [WebhookView(**row) async for row in rows]

    async def count(self, tx: Tx, tenant_id: str) -> int:
        """How many webhooks a tenant has."""
        count: int = await self._queries.count_webhooks(tx, tenant_id=tenant_id)
        return count

    async def remove(self, tx: Tx, tenant_id: str, webhook_id: UUID) -> bool:
        """Remove a webhook with its deliveries; false: there is none."""
        return _changed(
            await self._queries.delete_webhook(tx, tenant_id=tenant_id, webhook_id=webhook_id)
        )

    async def enqueue(
        self,
        tx: Tx,
        tenant_id: str,
        agent_id: str | None,
        *,
        kind: str,
        event: str,
        event_id: str,
        payload: str,
    ) -> None:
        """A delivery for each webhook of the tenant that wants this event."""
        await self._queries.insert_webhook_deliveries(
            tx,
            tenant_id=tenant_id,
            agent_id=agent_id,
            kind=kind,
            event=event,
            event_id=event_id,
            payload=payload,
        )

    async def lease(self, tx: Tx, *, limit: int, seconds: float) -> list[DueDelivery]:
        """Deliveries that are due, for this process alone until the lease is over."""
        rows = self._queries.lease_webhook_deliveries(tx, limit=limit, seconds=seconds)
        return [DueDelivery(**row) async for row in rows]

    async def record(
        self, tx: Tx, delivery: DueDelivery, *, state: str, outcome: str, retry_seconds: float
    ) -> None:
        """What became of an attempt; `retry_seconds` counts while the state is `pending`."""
        await self._queries.record_webhook_delivery(
            tx,
            delivery_id=delivery.delivery_id,
            attempts=delivery.attempts,
            state=state,
            outcome=outcome,
            retry_seconds=retry_seconds,
        )

    async def deliveries(
        self, tx: Tx, tenant_id: str, webhook_id: UUID, *, limit: int, offset: int
    ) -> list[DeliveryView]:
        """A webhook's deliveries, newest first."""
        rows = self._queries.webhook_deliveries(
            tx, tenant_id=tenant_id, webhook_id=webhook_id, limit=limit, offset=offset
        )
        return [DeliveryView(**row) async for row in rows]

    async def prune(self, tx: Tx, *, days: int) -> None:
        """Delete deliveries that ended so long ago."""
        await self._queries.prune_webhook_deliveries(tx, days=days)


def _changed(status: str) -> bool:
    """Whether a statement changed a row, by the command tag that PostgreSQL answers."""
    return not status.endswith(" 0")
