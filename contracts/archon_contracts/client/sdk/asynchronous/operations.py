"""Keys, the audit trail, dead letters, webhooks."""

from __future__ import annotations

from builtins import list as List  # the method `list` hides it in the class
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from archon_contracts.client.sdk.answers.audit import AuditEntryInfo, AuditVerificationInfo
from archon_contracts.client.sdk.answers.dead_letters import DeadLetterDetailInfo, DeadLetterInfo
from archon_contracts.client.sdk.answers.keys import KeyInfo, NewKeyInfo, SignInLinkInfo
from archon_contracts.client.sdk.answers.webhooks import (
    DeliveryInfo,
    NewWebhookInfo,
    WebhookInfo,
)
from archon_contracts.client.sdk.asynchronous.transport import AsyncTransport
from archon_contracts.client.sdk.calls import api_path, read_call, write_call


class AsyncKeysApi:
    """API keys; needs the scope `admin`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(
        self,
        name: str,
        *,
        scopes: Iterable[str],
        agents: Iterable[str] | None = None,
        expires_at: datetime | None = None,
        tenant_id: str | None = None,
    ) -> NewKeyInfo:
        """Create a key; its text is only in this answer. `tenant_id` is for operators."""
        body = {
            "name": name,
            "scopes": sorted(scopes),
            "agents": None if agents is None else sorted(agents),
            "expires_at": expires_at,
            "tenant_id": tenant_id,
        }
        return await self._transport.send(write_call(api_path("keys"), body), NewKeyInfo)

    async def list(self, *, tenant_id: str | None = None, limit: int | None = 100) -> List[KeyInfo]:
        """Keys, newest first, also those that were revoked or have expired."""
        path = api_path("keys")
        return await self._transport.items(path, KeyInfo, limit=limit, tenant_id=tenant_id)

    async def revoke(self, key_id: UUID | str, *, tenant_id: str | None = None) -> KeyInfo:
        """Revoke a key: refused by all gateway processes within 30 s."""
        path = api_path("keys", key_id, "revoke")
        return await self._transport.send(write_call(path, query={"tenant_id": tenant_id}), KeyInfo)

    async def sign_in_link(self, *, next: str = "/") -> SignInLinkInfo:
        """A path of the dashboard that signs in once, within 5 minutes; needs the scope `read`."""
        call = write_call(api_path("sign-in-links"), {"next": next})
        return await self._transport.send(call, SignInLinkInfo)


class AsyncAuditApi:
    """The audit trail of the tenant."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def list(
        self,
        *,
        agent_id: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
        limit: int | None = 100,
    ) -> List[AuditEntryInfo]:
        """The newest entries: actor, action, subject and reason."""
        query = {"agent_id": agent_id, "action": action, "since": since}
        return await self._transport.items(api_path("audit"), AuditEntryInfo, limit=limit, **query)

    async def verify(self, *, tenant_id: str | None = None) -> AuditVerificationInfo:
        """Recompute every chain; names the first invalid entry and the missing ones."""
        call = read_call(api_path("audit", "verify"), {"tenant_id": tenant_id})
        return await self._transport.send(call, AuditVerificationInfo)


class AsyncDeadLettersApi:
    """What could not be processed; needs the scope `operate`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def list(
        self, *, service: str | None = None, limit: int | None = 100
    ) -> List[DeadLetterInfo]:
        """The newest dead letters of all tenants and services."""
        path = api_path("dead-letters")
        return await self._transport.items(path, DeadLetterInfo, limit=limit, service=service)

    async def get(self, letter_id: str) -> DeadLetterDetailInfo:
        """A dead letter with its original headers and body."""
        call = read_call(api_path("dead-letters", letter_id))
        return await self._transport.send(call, DeadLetterDetailInfo)

    async def replay(self, letter_id: str) -> None:
        """Publish the original bytes and headers to the original topic again."""
        call = write_call(api_path("dead-letters", letter_id, "replay"))
        await self._transport.send(call, dict[str, Any])


class AsyncWebhooksApi:
    """Addresses that are sent events; needs the scope `admin`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(
        self, url: str, *, events: Iterable[str], agents: Iterable[str] | None = None
    ) -> NewWebhookInfo:
        """Send `deployment`, `rejection` or `regression` events to an address; the secret that
        signs them is only in this answer."""
        body = {
            "url": url,
            "events": sorted(events),
            "agents": None if agents is None else sorted(agents),
        }
        return await self._transport.send(write_call(api_path("webhooks"), body), NewWebhookInfo)

    async def list(self, *, limit: int | None = 100) -> List[WebhookInfo]:
        """The tenant's webhooks, newest first."""
        return await self._transport.items(api_path("webhooks"), WebhookInfo, limit=limit)

    async def deliveries(
        self, webhook_id: UUID | str, *, limit: int | None = 100
    ) -> List[DeliveryInfo]:
        """What was sent to a webhook, newest first, and what it answered."""
        path = api_path("webhooks", webhook_id, "deliveries")
        return await self._transport.items(path, DeliveryInfo, limit=limit)

    async def remove(self, webhook_id: UUID | str) -> None:
        """Remove a webhook."""
        call = write_call(api_path("webhooks", webhook_id, "remove"))
        await self._transport.send(call, dict[str, Any])
