"""Status of a tenant, and for operators of the system."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from services.gateway.auth.credentials import Caller, Scope
from services.gateway.routes.dependencies import GatewayApi


def build_router(api: GatewayApi) -> APIRouter:
    """The status route."""
    router = APIRouter(tags=["status"])
    reader = api.require_caller(Scope.READ)

    @router.get("/status")
    async def show_status(caller: Caller = reader) -> dict[str, Any]:
        """Stored feedback, open jobs and load shedding; with `operate` also workers, dead letters
        and outbox age of all tenants, and what is wrong with the gateway's connections to Kafka.
        """
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            found = await api.queries.status(tx, caller.tenant_id)
            if Scope.OPERATE in caller.scopes:
                found |= await api.queries.system_status(tx)
                found |= {"kafka": api.feedback_producer.connection_faults or "connected"}
        return found | {"shedding": api.backpressure.describe_shedding()}

    return router
