"""Agents: who is to be improved, and how."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from archon_contracts.values import AgentProfile, ArtifactRef
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.datasets import catalogue_file
from services.gateway.domain import AgentView
from services.gateway.http.field_limit import BoundedRoute
from services.gateway.requests import AgentWish
from services.gateway.routes.dependencies import AgentId, Api, Most
from services.gateway.service import check_base_model, check_kind
from services.gateway.sse.feed import Interest, Subscriber


def build_router(api: Api) -> APIRouter:
    """Routes of agents."""
    router = APIRouter(route_class=BoundedRoute, tags=["agents"])
    reader, writer = api.caller(Scope.READ), api.commander(Scope.WRITE)

    @router.post("/agents", status_code=201, responses={202: {"description": "Not yet known."}})
    async def configure_agent(
        wish: AgentWish, request: Request, response: Response, caller: Caller = writer
    ) -> AgentView:
        """Take an agent on or change it; 202 when the coordinator has not confirmed in time."""
        check_kind(wish)
        check_base_model(wish.base_model, caller)
        catalogue = await _publish_catalogue(api, wish)
        interest = Interest(caller.tenant_id, wish.agent_id, frozenset({"AgentConfigured"}))
        with api.feed.subscribed(interest) as subscriber:
            async with api.transactions.writing(caller.tenant_id) as tx:
                order = await api.idempotency.asked(tx, caller, request)
                profile = await api.service.configure_agent(tx, order, wish, catalogue)
            if not await _confirmed(api, subscriber, profile):
                response.status_code = HTTPStatus.ACCEPTED
                return _unconfirmed(profile, wish.evaluation_dataset)
        async with api.transactions.reading(caller.tenant_id) as tx:
            return await api.reading.agent(tx, caller.tenant_id, wish.agent_id)

    @router.get("/agents")
    async def list_agents(limit: Most = 100, caller: Caller = reader) -> dict[str, list[AgentView]]:
        """The tenant's agents."""
        async with api.transactions.reading(caller.tenant_id) as tx:
            return {"items": await api.reading.store.agents(tx, caller.tenant_id, most=limit)}

    @router.get("/agents/{agent_id}")
    async def show_agent(agent_id: AgentId, caller: Caller = reader) -> AgentView:
        """An agent with its live version, open job and feedback records seen."""
        async with api.transactions.reading(caller.tenant_id) as tx:
            return await api.reading.agent(tx, caller.tenant_id, agent_id)

    return router


async def _publish_catalogue(api: Api, wish: AgentWish) -> ArtifactRef | None:
    """Before the transaction: content-addressed, so a repetition is the same artifact."""
    if not wish.catalogue:
        return None
    return await api.artifacts.publish_files(catalogue_file(wish.catalogue))


async def _confirmed(api: Api, subscriber: Subscriber, profile: AgentProfile) -> bool:
    """Whether the coordinator said in time that it knows this very profile."""
    asked_for = profile.model_dump(mode="json", exclude_none=True)
    try:
        async with asyncio.timeout(api.settings.gateway_agent_wait_seconds):
            while (event := await subscriber.next()) is not None:
                if event.body["profile"] == asked_for:
                    return True
    except TimeoutError:
        pass
    return False


def _unconfirmed(profile: AgentProfile, evaluation_dataset: str | None) -> AgentView:
    return AgentView(
        agent_id=profile.agent_id,
        kind=profile.kind,
        base_model=profile.base_model,
        profile=profile,
        evaluation_dataset=evaluation_dataset,
    )
