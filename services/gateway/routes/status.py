"""The state of the whole, in one answer."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from services.gateway.auth.credentials import Caller, Scope
from services.gateway.routes.dependencies import Api


def build_router(api: Api) -> APIRouter:
    """The status route."""
    router = APIRouter(tags=["status"])
    reader = api.caller(Scope.READ)

    @router.get("/status")
    async def show_status(caller: Caller = reader) -> dict[str, Any]:
        """Records seen, open jobs, shedding.

        With the scope `operate` also what is of all tenants: workers, dead letters nobody
        replayed, outbox age.
        """
        async with api.transactions.reading(caller.tenant_id) as tx:
            found = await api.reading.status(tx, caller.tenant_id)
            if Scope.OPERATE in caller.scopes:
                found |= await api.reading.system_status(tx)
        return found | {"shedding": api.pressure.shedding()}

    return router
