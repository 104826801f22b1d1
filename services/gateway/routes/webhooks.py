"""Webhooks: create, list, look at their deliveries, remove."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.gateway.auth.credentials import Caller, Scope
from services.gateway.http.field_limit import FieldLimitedRoute
from services.gateway.http.pages import PAGE, Page, PageRequest
from services.gateway.routes.dependencies import GatewayApi, build_accepted
from services.gateway.webhooks.views import DeliveryView, NewWebhook, WebhookRequest, WebhookView


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of webhooks."""
    router = APIRouter(route_class=FieldLimitedRoute, tags=["webhooks"], prefix="/webhooks")
    admin = api.require_caller(Scope.ADMIN)

    @router.post("", status_code=201)
    async def create_webhook(
        body: WebhookRequest, request: Request, response: Response, caller: Caller = admin
    ) -> NewWebhook:
        """Send events to an address from now on. The secret is only in this answer."""
        response.headers["Cache-Control"] = "no-store"
        await api.webhooks.check(body)
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            identity = await api.idempotency.identify(tx, caller, request)
            return await api.webhooks.create(tx, identity, body)

    @router.get("")
    async def list_webhooks(page: PageRequest = PAGE, caller: Caller = admin) -> Page[WebhookView]:
        """The tenant's webhooks, newest first, without their secrets."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            found = await api.webhooks.newest(
                tx, caller.tenant_id, limit=page.rows, offset=page.offset
            )
        return page.build(found)

    @router.get("/{webhook_id}/deliveries")
    async def list_deliveries(
        webhook_id: UUID, page: PageRequest = PAGE, caller: Caller = admin
    ) -> Page[DeliveryView]:
        """What was sent to a webhook, newest first, and what it answered."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            found = await api.webhooks.deliveries(
                tx, caller.tenant_id, webhook_id, limit=page.rows, offset=page.offset
            )
        return page.build(found)

    @router.post("/{webhook_id}/remove")
    async def remove_webhook(
        webhook_id: UUID, request: Request, caller: Caller = admin
    ) -> dict[str, str]:
        """Remove a webhook; what it has not been sent yet is not sent."""
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            identity = await api.idempotency.identify(tx, caller, request)
            await api.webhooks.remove(tx, identity, webhook_id)
        return build_accepted(webhook_id=webhook_id)

    return router
