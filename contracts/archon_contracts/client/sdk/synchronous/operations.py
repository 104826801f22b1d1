"""Keys, the audit trail, dead letters, webhooks.

Written by `python -m tests.reference` from the asynchronous client; do not edit.
"""

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
from archon_contracts.client.sdk.calls import api_path, read_call, write_call
from archon_contracts.client.sdk.synchronous.transport import Transport


class KeysApi:
    """API keys; needs the scope `admin`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
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
        return self._transport.send(write_call(api_path("keys"), body), NewKeyInfo)

    def list(self, *, tenant_id: str | None = None, limit: int | None = 100) -> List[KeyInfo]:
        """Keys, newest first, also those that were revoked or have expired."""
        path = api_path("keys")
        return self._transport.items(path, KeyInfo, limit=limit, tenant_id=tenant_id)

    def revoke(self, key_id: UUID | str, *, tenant_id: str | None = None) -> KeyInfo:
        """Revoke a key: refused by all gateway processes within 30 s."""
        path = api_path("keys", key_id, "revoke")
        return self._transport.send(write_call(path, query={"tenant_id": tenant_id}), KeyInfo)

    def sign_in_link(self, *, next: str = "/") -> SignInLinkInfo:
        """A path of the dashboard that signs in once, within 5 minutes; needs the scope `read`."""
        call = write_call(api_path("sign-in-links"), {"next": next})
        return self._transport.send(call, SignInLinkInfo)


class AuditApi:
    """The audit trail of the tenant."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        agent_id: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
        limit: int | None = 100,
    ) -> List[AuditEntryInfo]:
        """The newest entries: actor, action, subject and reason."""
        query = {"agent_id": agent_id, "action": action, "since": since}
        return self._transport.items(api_path("audit"), AuditEntryInfo, limit=limit, **query)

    def verify(self, *, tenant_id: str | None = None) -> AuditVerificationInfo:
        """Recompute every chain; names the first invalid entry and the missing ones."""
        call = read_call(api_path("audit", "verify"), {"tenant_id": tenant_id})
        return self._transport.send(call, AuditVerificationInfo)


class DeadLettersApi:
    """What could not be processed; needs the scope `operate`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, service: str | None = None, limit: int | None = 100) -> List[DeadLetterInfo]:
        """The newest dead letters of all tenants and services."""
        path = api_path("dead-letters")
        return self._transport.items(path, DeadLetterInfo, limit=limit, service=service)

    def get(self, letter_id: str) -> DeadLetterDetailInfo:
        """A dead letter with its original headers and body."""
        call = read_call(api_path("dead-letters", letter_id))
        return self._transport.send(call, DeadLetterDetailInfo)

    def replay(self, letter_id: str) -> None:
        """Publish the original bytes and headers to the original topic again."""
        call = write_call(api_path("dead-letters", letter_id, "replay"))
        self._transport.send(call, dict[str, Any])


class WebhooksApi:
    """Addresses that are sent events; needs the scope `admin`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self, url: str, *, events: Iterable[str], agents: Iterable[str] | None = None
    ) -> NewWebhookInfo:
        """Send `deployment`, `rejection` or `regression` events to an address; the secret that
        signs them is only in this answer."""
        body = {
            "url": url,
            "events": sorted(events),
            "agents": None if agents is None else sorted(agents),
        }
        return self._transport.send(write_call(api_path("webhooks"), body), NewWebhookInfo)

    def list(self, *, limit: int | None = 100) -> List[WebhookInfo]:
        """The tenant's webhooks, newest first."""
        return self._transport.items(api_path("webhooks"), WebhookInfo, limit=limit)

    def deliveries(self, webhook_id: UUID | str, *, limit: int | None = 100) -> List[DeliveryInfo]:
        """What was sent to a webhook, newest first, and what it answered."""
        path = api_path("webhooks", webhook_id, "deliveries")
        return self._transport.items(path, DeliveryInfo, limit=limit)

    def remove(self, webhook_id: UUID | str) -> None:
        """Remove a webhook."""
        call = write_call(api_path("webhooks", webhook_id, "remove"))
        self._transport.send(call, dict[str, Any])
