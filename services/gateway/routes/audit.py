"""The audit trail: its entries, and verification of its chains."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from archon_contracts.base import Identifier, Name
from services.gateway.audit.entries import AuditEntryView
from services.gateway.audit.trail import AuditVerification
from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.http.pages import PAGE, Page, PageRequest
from services.gateway.key_admin import resolve_tenant
from services.gateway.routes.dependencies import GatewayApi

Tenant = Annotated[
    Identifier | None, Query(description="Another tenant; only for the operator's keys.")
]


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of the audit trail; each caller sees its own tenant's."""
    router = APIRouter(tags=["audit"], prefix="/audit")
    reader, admin = (
        api.require_caller(Scope.READ, bound=BoundKeys.APPLIED),
        api.require_caller(Scope.ADMIN),
    )

    @router.get("")
    async def list_entries(
        agent_id: Annotated[Name | None, Query()] = None,
        action: Annotated[Identifier | None, Query()] = None,
        since: Annotated[AwareDatetime | None, Query(description="With its offset.")] = None,
        page: PageRequest = PAGE,
        caller: Caller = reader,
    ) -> Page[AuditEntryView]:
        """The newest entries: actor, action, subject and reason."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            found = await api.audit.store.newest(
                tx,
                caller.tenant_id,
                agent_id=agent_id,
                only=caller.agents,
                action=action,
                since=since,
                limit=page.rows,
                offset=page.offset,
            )
        return page.build(found)

    @router.get("/verify")
    async def verify(tenant_id: Tenant = None, caller: Caller = admin) -> AuditVerification:
        """Recompute every chain; names the first invalid entry and the missing ones."""
        tenant = resolve_tenant(caller, tenant_id)
        async with api.transactions.begin_read(tenant) as tx:
            return await api.audit.verify(tx, tenant)

    return router
