"""Status of a tenant and the cost of its trainings, and for operators the state of the system."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query

from archon_contracts.base import Name
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.http.numbers import WholeNumber
from services.gateway.routes.dependencies import GatewayApi
from services.gateway.views.metrics import CostsView


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of status and costs."""
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

    @router.get("/costs")
    async def show_costs(
        agent_id: Annotated[Name | None, Query()] = None,
        days: Annotated[
            WholeNumber, Query(ge=1, le=366, description="Of jobs so old at most.")
        ] = 30,
        caller: Caller = reader,
    ) -> CostsView:
        """Time, memory, energy and estimated cost of trainings that ended with a model."""
        since = api.clock.now() - timedelta(days=days)
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            return await api.metrics.costs(tx, since, agent_id)

    return router
