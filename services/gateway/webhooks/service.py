"""Webhooks of tenants: created, listed, removed, and given their events."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from archon_contracts.base import Contract
from archon_contracts.events import AuditAction
from services.gateway.audit.entries import build_entry
from services.gateway.auth.authenticator import require_scope
from services.gateway.auth.credentials import OPERATOR_TENANT, Scope
from services.gateway.auth.request_identity import RequestIdentity
from services.gateway.dead_letters.letters import parse_dead_letter
from services.gateway.errors import Conflict, FieldError, Invalid, NotFound
from services.gateway.webhooks.addresses import (
    AddressRefused,
    IpNetwork,
    find_address,
    read_url,
)
from services.gateway.webhooks.events import KINDS, WebhookEvent, build_payload
from services.gateway.webhooks.signing import new_secret
from services.gateway.webhooks.store import WebhookStore
from services.gateway.webhooks.views import DeliveryView, NewWebhook, WebhookRequest, WebhookView
from shared.audit import AuditLog
from shared.messaging.messages import Message, RawRecord
from shared.ports import Clock
from shared.postgres.database import Tx

MAX_WEBHOOKS: Final = 20
KEEP_DAYS: Final = 14


class Webhooks:
    """Takes `tx` and never commits."""

    def __init__(
        self, store: WebhookStore, audit: AuditLog, clock: Clock, allowed: tuple[IpNetwork, ...]
    ) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock
        self._allowed = allowed

    async def check(self, request: WebhookRequest) -> None:
        """Refuse an address that could never be reached; it is checked again at each request.

        Raises:
            Invalid: it is none, or private and not allowed.
        """
        try:
            await find_address(read_url(request.url), self._allowed)
        except AddressRefused as refusal:
            raise Invalid([FieldError("url", "address", str(refusal))]) from refusal

    async def create(
        self, tx: Tx, identity: RequestIdentity, request: WebhookRequest
    ) -> NewWebhook:
        """Create a webhook; its secret is only in this answer.

        Raises:
            NotAllowed: dead letters are for keys of operators.
            Conflict: the tenant has its maximum, or the request was answered before.
        """
        tenant_id = identity.tenant_id
        if WebhookEvent.DEAD_LETTER in request.events:
            # They may hold any tenant's data.
            require_scope(identity.caller, Scope.OPERATE)
        if await self._store.count(tx, tenant_id) >= MAX_WEBHOOKS:
            raise Conflict(f"tenant {tenant_id} has {MAX_WEBHOOKS} webhooks; remove one")
        secret = new_secret()
        added = await self._store.add(
            tx,
            tenant_id,
            identity.id,
            url=request.url,
            events=sorted(request.events),
            agents=None if request.agents is None else sorted(request.agents),
            secret=secret,
        )
        if not added:
            raise Conflict(
                f"webhook {identity.id} was created by an earlier request, and its secret is shown "
                "only once; remove it if that is lost"
            )
        entry = build_entry(
            identity,
            AuditAction.WEBHOOK_CREATED,
            identity.id,
            url=request.url,
            events=",".join(sorted(request.events)),
        )
        await self._audit.append(tx, entry, cause=identity.cause())
        view = await self.find(tx, tenant_id, identity.id)
        return NewWebhook(**view.model_dump(), secret=secret)

    async def newest(self, tx: Tx, tenant_id: str, *, limit: int, offset: int) -> list[WebhookView]:
        """A tenant's webhooks, newest first."""
        return await self._store.webhooks(tx, tenant_id, limit=limit, offset=offset)

    async def find(self, tx: Tx, tenant_id: str, webhook_id: UUID) -> WebhookView:
        """A webhook of a tenant.

        Raises:
            NotFound: it has none with this id.
        """
        found = await self._store.webhooks(tx, tenant_id, webhook_id=webhook_id)
        if not found:
            raise NotFound("webhook", webhook_id)
        return found[0]

    async def remove(self, tx: Tx, identity: RequestIdentity, webhook_id: UUID) -> None:
        """Remove a webhook; what it has not been sent yet is not sent.

        Raises:
            NotFound: the tenant has none with this id.
        """
        if not await self._store.remove(tx, identity.tenant_id, webhook_id):
            raise NotFound("webhook", webhook_id)
        entry = build_entry(identity, AuditAction.WEBHOOK_REMOVED, webhook_id)
        await self._audit.append(tx, entry, cause=identity.cause(), part=str(webhook_id))

    async def deliveries(
        self, tx: Tx, tenant_id: str, webhook_id: UUID, *, limit: int, offset: int
    ) -> list[DeliveryView]:
        """A webhook's deliveries, newest first.

        Raises:
            NotFound: the tenant has none with this id.
        """
        await self.find(tx, tenant_id, webhook_id)
        return await self._store.deliveries(tx, tenant_id, webhook_id, limit=limit, offset=offset)

    async def enqueue(self, tx: Tx, message: Message[Contract]) -> None:
        """Deliveries of an event, in the transaction that records it."""
        kind = KINDS.get(type(message.body))
        if kind is None:
            return
        event = type(message.body).__name__
        await self._add(
            tx,
            message.body.tenant_id,
            getattr(message.body, "agent_id", None),
            kind,
            event,
            str(message.envelope.id),
            message.body.to_json(),
        )

    async def enqueue_letter(self, tx: Tx, record: RawRecord) -> None:
        """Deliveries of a dead letter to the operators' webhooks, without its content."""
        letter = parse_dead_letter(record)
        data = {
            "id": letter.id,
            "service": letter.service,
            "topic": letter.topic,
            "reason": letter.reason,
            "attempts": letter.attempts,
        }
        kind = WebhookEvent.DEAD_LETTER
        await self._add(tx, OPERATOR_TENANT, None, kind, "DeadLetter", letter.id, data)

    async def prune(self, tx: Tx) -> None:
        """Delete deliveries that are over for long."""
        await self._store.prune(tx, days=KEEP_DAYS)

    async def _add(
        self,
        tx: Tx,
        tenant_id: str,
        agent_id: str | None,
        kind: WebhookEvent,
        event: str,
        event_id: str,
        data: dict[str, Any],
    ) -> None:
        payload = build_payload(
            kind,
            event,
            event_id=event_id,
            at=self._clock.now(),
            tenant_id=tenant_id,
            data=data,
        )
        await self._store.enqueue(
            tx,
            tenant_id,
            agent_id,
            kind=kind.value,
            event=event,
            event_id=event_id,
            payload=payload,
        )
