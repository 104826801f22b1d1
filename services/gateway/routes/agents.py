"""Agents: configuration and state."""

from __future__ import annotations

import asyncio
import contextlib
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from archon_contracts.formats import ITEMS_FILE
from archon_contracts.values import AgentProfile, ArtifactRef
from services.gateway.auth.agent_binding import BoundKeys, require_agents
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.datasets import catalogue_file, check_suite
from services.gateway.domain import AgentView, SuiteMisfit
from services.gateway.errors import Conflict
from services.gateway.http.field_limit import FieldLimitedRoute
from services.gateway.http.numbers import WholeNumber
from services.gateway.http.pages import PAGE, Page, PageRequest
from services.gateway.requests import AgentRequest
from services.gateway.routes.dependencies import AgentId, GatewayApi
from services.gateway.service import check_base_model, check_kind
from services.gateway.sse.event_hub import Subscriber
from services.gateway.sse.events import EventFilter
from services.gateway.views.curriculum import CurriculumView, FeedbackHistoryView

CONFIRMATION_POLL_SECONDS: Final = 0.25


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of agents."""
    router = APIRouter(route_class=FieldLimitedRoute, tags=["agents"])
    reader, writer = (
        api.require_caller(Scope.READ, bound=BoundKeys.APPLIED),
        api.require_command_caller(Scope.WRITE, bound=BoundKeys.APPLIED),
    )

    @router.post("/agents", status_code=201, responses={202: {"description": "Not confirmed yet."}})
    async def configure_agent(
        body: AgentRequest, request: Request, response: Response, caller: Caller = writer
    ) -> AgentView:
        """Configure an agent; 202 when the coordinator has not confirmed in time."""
        require_agents(caller, [body.agent_id])  # before its catalogue is published
        check_kind(body)
        check_base_model(body.base_model, caller)
        misfits = await _check_suite(api, caller, body)
        catalogue = await _publish_catalogue(api, body)
        event_filter = EventFilter(caller.tenant_id, body.agent_id, frozenset({"AgentConfigured"}))
        # Before the command is committed: its confirmation may come before a later subscription.
        with api.event_hub.subscribed(event_filter) as subscriber:
            async with api.transactions.begin_write(caller.tenant_id) as tx:
                identity = await api.idempotency.identify(tx, caller, request)
                known = await api.queries.store.agents(tx, caller.tenant_id, agent_id=body.agent_id)
                check_change(body, known[0] if known else None)
                profile = await api.service.configure_agent(tx, identity, body, catalogue)
            if not await _confirmed(api, subscriber, caller.tenant_id, profile):
                response.status_code = HTTPStatus.ACCEPTED
                return _unconfirmed(profile, body.evaluation_dataset, misfits)
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            view = await api.queries.agent(tx, caller.tenant_id, body.agent_id)
        return view.model_copy(update={"unscored_targets": misfits})

    @router.get("/agents")
    async def list_agents(page: PageRequest = PAGE, caller: Caller = reader) -> Page[AgentView]:
        """The tenant's agents."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            agents, is_cut = await api.queries.store.agents_part(
                tx, caller.tenant_id, only=caller.agents, limit=page.rows, offset=page.offset
            )
        return page.build(agents, is_cut=is_cut)

    @router.get("/agents/{agent_id}")
    async def show_agent(agent_id: AgentId, caller: Caller = reader) -> AgentView:
        """An agent with its deployed version, open job and feedback totals."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            return await api.queries.agent(tx, caller.tenant_id, agent_id)

    router.include_router(_build_learning(api))
    return router


def _build_learning(api: GatewayApi) -> APIRouter:
    router = APIRouter(route_class=FieldLimitedRoute, tags=["agents"])
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.get("/agents/{agent_id}/curriculum")
    async def show_curriculum(agent_id: AgentId, caller: Caller = reader) -> CurriculumView:
        """An agent's level and skills with the evidence on them, and what is planned next."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            await api.queries.require_agent(tx, caller.tenant_id, agent_id)
            return await api.curricula.find(tx, caller.tenant_id, agent_id)

    @router.get("/agents/{agent_id}/feedback-history")
    async def show_feedback_history(
        agent_id: AgentId,
        days: Annotated[WholeNumber, Query(ge=1, le=366, description="Newest days.")] = 90,
        caller: Caller = reader,
    ) -> FeedbackHistoryView:
        """An agent's rated answers by hour and its deployments, to replay trigger policies on."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            await api.queries.require_agent(tx, caller.tenant_id, agent_id)
            return await api.feedback_history.find(tx, caller.tenant_id, agent_id, days)

    return router


async def _check_suite(api: GatewayApi, caller: Caller, body: AgentRequest) -> list[SuiteMisfit]:
    """Check the suite against the agent's answers: see `check_suite`.

    A dataset that is missing, or for training, is refused by the service, with its reason.
    """
    answers = {*body.labels, *(entry.name for entry in body.catalogue)}
    if body.evaluation_dataset is None or not answers:
        return []
    async with api.transactions.begin_read(caller.tenant_id) as tx:
        found = await api.queries.store.datasets(tx, caller.tenant_id, name=body.evaluation_dataset)
    if not found or found[0].purpose != "evaluation":
        return []
    content = await api.artifacts.read(found[0].artifact, ITEMS_FILE)
    # In a thread: a suite may have some hundred thousand items.
    return await asyncio.to_thread(check_suite, content, answers)


async def _publish_catalogue(api: GatewayApi, body: AgentRequest) -> ArtifactRef | None:
    """Before the transaction: content-addressed, so a repetition publishes the same artifact."""
    if not body.catalogue:
        return None
    return await api.artifacts.publish_files(catalogue_file(body.catalogue))


async def _confirmed(
    api: GatewayApi, subscriber: Subscriber, tenant_id: str, profile: AgentProfile
) -> bool:
    """Whether the coordinator confirmed this profile in time.

    With several gateways another process may read the confirmation, and this one sees it only in
    the stored read model.
    """
    expected = profile.model_dump(mode="json", exclude_none=True)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(api.settings.gateway_agent_wait_seconds):
            while not await _is_stored(api, tenant_id, profile.agent_id, expected):
                if await _is_announced(subscriber, expected):
                    return True
            return True
    return False


async def _is_announced(subscriber: Subscriber, expected: dict[str, Any]) -> bool:
    """Whether this process reads the confirmation before the next look at what is stored."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CONFIRMATION_POLL_SECONDS):
            while (event := await subscriber.next()) is not None:
                if event.body["profile"] == expected:
                    return True
            await asyncio.sleep(CONFIRMATION_POLL_SECONDS)  # the gateway is stopping
    return False


async def _is_stored(
    api: GatewayApi, tenant_id: str, agent_id: str, expected: dict[str, Any]
) -> bool:
    async with api.transactions.begin_read(tenant_id) as tx:
        agents = await api.queries.store.agents(tx, tenant_id, agent_id=agent_id)
    # As JSON: a request's policies are of stricter classes, which never equal those of the store.
    return any(
        each.profile.model_dump(mode="json", exclude_none=True) == expected for each in agents
    )


def _unconfirmed(
    profile: AgentProfile, evaluation_dataset: str | None, misfits: list[SuiteMisfit]
) -> AgentView:
    return AgentView(
        agent_id=profile.agent_id,
        kind=profile.kind,
        base_model=profile.base_model,
        profile=profile,
        evaluation_dataset=evaluation_dataset,
        unscored_targets=misfits,
    )


def check_change(request: AgentRequest, known: AgentView | None) -> None:
    """Refuse another kind or base model for an agent with a deployed version.

    Raises:
        Conflict: no later training could continue from that version.
    """
    if known is None or known.deployed_version is None:
        return
    if (known.kind, known.base_model) != (request.kind, request.base_model):
        raise Conflict(
            f"version {known.deployed_version} of agent {request.agent_id} is deployed, a "
            f"{known.kind} of {known.base_model}: no training of a {request.kind} of "
            f"{request.base_model} can continue from it; keep kind and base_model, or configure "
            "another agent"
        )
