"""Operations: dead letters, keys, the audit trail, topics and the system."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated, Final
from urllib.parse import quote
from uuid import UUID

from aiokafka.errors import KafkaError
from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from archon_contracts.base import Identifier, Name
from archon_contracts.identifiers import new_id
from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.dashboard.forms import read_form, with_idempotency_key
from services.gateway.dashboard.pages import OPERATIONS, list_sections, respond
from services.gateway.dashboard.settings_table import describe_settings
from services.gateway.dashboard.views.overview import read_system
from services.gateway.http.numbers import WholeNumber
from services.gateway.http.pages import PAGE, PageRequest
from services.gateway.routes.dependencies import GatewayApi
from services.gateway.views.metrics import AgentCost, CostsView
from shared.kafka.topic_admin import TopicStatus

SEE_OTHER: Final = 303
COSTS_DAYS: Final = 30
COSTS_SHOWN: Final = 500
TOPICS_SECONDS: Final = 8.0
MAX_BODY_SHOWN: Final = 20_000
"""Characters of a dead letter's body: the API has the whole."""


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of operations."""
    router = APIRouter(include_in_schema=False, prefix="/operations")
    _add_front(router, api)
    _add_settings(router, api)
    _add_letters(router, api)
    _add_keys(router, api)
    _add_audit(router, api)
    _add_costs(router, api)
    _add_topics(router, api)
    _add_system(router, api)
    return router


def _add_front(router: APIRouter, api: GatewayApi) -> None:
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.get("")
    async def show_front(caller: Caller = reader) -> Response:
        """The first page of operations that the key may see."""
        return RedirectResponse(list_sections(caller, OPERATIONS)[0][0], SEE_OTHER)


def _add_settings(router: APIRouter, api: GatewayApi) -> None:
    operator = api.require_caller(Scope.OPERATE)

    @router.get("/settings")
    async def show_settings(request: Request, caller: Caller = operator) -> Response:
        """The settings of this gateway process, without its secrets."""
        return await respond(
            request, "settings.html", caller, settings=describe_settings(api.settings)
        )


def _add_letters(router: APIRouter, api: GatewayApi) -> None:
    operator, sender = api.require_caller(Scope.OPERATE), api.require_command_caller(Scope.OPERATE)

    @router.get("/dead-letters")
    async def list_letters(
        request: Request,
        service: Annotated[Identifier | None, Query()] = None,
        page: PageRequest = PAGE,
        caller: Caller = operator,
    ) -> Response:
        """The newest dead letters."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            found = await api.dead_letters.newest(
                tx, service=service, limit=page.rows, offset=page.offset
            )
        now = api.clock.now()
        return await respond(
            request, "letters.html", caller, page=page.build(found), service=service, now=now
        )

    @router.get("/dead-letters/{letter_id}")
    async def show_letter(
        request: Request, letter_id: Identifier, caller: Caller = operator
    ) -> Response:
        """A dead letter with its headers and body."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            letter = await api.dead_letters.find(tx, letter_id)
        return await respond(
            request,
            "letter.html",
            caller,
            letter=letter,
            body=(letter.body or "")[:MAX_BODY_SHOWN],
            is_cut=len(letter.body or "") > MAX_BODY_SHOWN,
            action=f"/operations/dead-letters/{quote(letter_id, safe='')}/replay",
            request_id=new_id(),
            now=api.clock.now(),
        )

    @router.post("/dead-letters/{letter_id}/replay")
    async def replay_letter(
        request: Request, letter_id: Identifier, caller: Caller = sender
    ) -> Response:
        """As POST /v1/dead-letters/{letter_id}/replay."""
        fields, raw = await read_form(request)
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            repeatable = with_idempotency_key(request, fields, raw)
            identity = await api.idempotency.identify(tx, caller, repeatable)
            letter = await api.dead_letters.find(tx, letter_id)
            # Each replay is a record of its own: a form sent twice, or one of a page that somebody
            # else was faster than, must not send another.
            is_new = fields.get("replays") == str(letter.replays)
            if is_new:
                await api.dead_letters.replay(tx, identity, letter_id)
        place = f"/operations/dead-letters/{quote(letter_id, safe='')}"
        return RedirectResponse(f"{place}?accepted=replay" if is_new else place, SEE_OTHER)


def _add_keys(router: APIRouter, api: GatewayApi) -> None:
    admin = api.require_caller(Scope.ADMIN, bound=BoundKeys.APPLIED)

    @router.get("/keys")
    async def list_keys(
        request: Request, page: PageRequest = PAGE, caller: Caller = admin
    ) -> Response:
        """Keys of the tenant, newest first."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            keys = await api.key_administration.list_keys(
                tx, caller, tenant_id=None, limit=page.rows, offset=page.offset
            )
        return await respond(
            request,
            "keys.html",
            caller,
            page=page.build(keys),
            own=caller.key_id,
            scopes=caller.scopes,
            now=api.clock.now(),
        )

    @router.get("/keys/{key_id}/revoke")
    async def confirm_revoke(request: Request, key_id: UUID, caller: Caller = admin) -> Response:
        """What the revocation will do, and the button that does it."""
        return await respond(
            request,
            "confirm.html",
            caller,
            title=f"Revoke key {key_id}",
            effect="Requests and sessions of the key are refused at once by this process, and by "
            "other gateway processes within 30 seconds. A revoked key cannot be made valid again.",
            action=f"/operations/keys/{key_id}/revoke",
            button="Revoke the key",
            back="/operations/keys",
            reason=None,
            request_id=new_id(),
        )

    @router.post("/keys/{key_id}/revoke")
    async def revoke_key(request: Request, key_id: UUID, caller: Caller = admin) -> Response:
        """As POST /v1/keys/{key_id}/revoke."""
        fields, raw = await read_form(request)
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            repeatable = with_idempotency_key(request, fields, raw)
            identity = await api.idempotency.identify(tx, caller, repeatable)
            await api.key_administration.revoke_key(tx, identity, key_id, tenant_id=None)
        # After the commit: a look-up before it would cache the key as valid once more.
        api.authenticator.invalidate(key_id)
        return RedirectResponse("/operations/keys?accepted=revoke", SEE_OTHER)


def _add_audit(router: APIRouter, api: GatewayApi) -> None:
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.get("/audit")
    async def list_entries(
        request: Request,
        agent_id: Annotated[Name | None, Query()] = None,
        action: Annotated[Identifier | None, Query()] = None,
        page: PageRequest = PAGE,
        caller: Caller = reader,
    ) -> Response:
        """The newest entries, as the address filters them."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            found = await api.audit.store.newest(
                tx,
                caller.tenant_id,
                agent_id=agent_id,
                only=caller.agents,
                action=action,
                since=None,
                limit=page.rows,
                offset=page.offset,
            )
        return await respond(
            request,
            "audit.html",
            caller,
            page=page.build(found),
            agent_id=agent_id,
            action=action,
            now=api.clock.now(),
        )


def _add_costs(router: APIRouter, api: GatewayApi) -> None:
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.get("/costs")
    async def show_costs(
        request: Request,
        agent_id: Annotated[Name | None, Query()] = None,
        days: Annotated[WholeNumber, Query(ge=1, le=366)] = COSTS_DAYS,
        caller: Caller = reader,
    ) -> Response:
        """What trainings used, by agent and of the tenant; of a bound key's agents alone."""
        now = api.clock.now()
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            found = await api.metrics.costs(tx, now - timedelta(days=days), agent_id)
        costs = found.keep_agents(caller.agents)
        return await respond(
            request,
            "costs.html",
            caller,
            costs=costs,
            rows=rank_costs(costs)[:COSTS_SHOWN],
            agent_id=agent_id,
            days=days,
            now=now,
        )


def rank_costs(costs: CostsView) -> list[tuple[AgentCost, float]]:
    """Agents with their part of the cost, or of the time where trainers have no prices."""
    measure = "cost" if costs.total.cost else "wall_seconds"
    whole = getattr(costs.total, measure) or 1.0
    shares = [(each, getattr(each, measure) / whole) for each in costs.agents]
    return sorted(shares, key=lambda pair: (-pair[1], pair[0].agent_id))


def _add_topics(router: APIRouter, api: GatewayApi) -> None:
    operator = api.require_caller(Scope.OPERATE)

    @router.get("/topics")
    async def list_topics(request: Request, caller: Caller = operator) -> Response:
        """Topics with how far behind their readers are, as the broker says now."""
        topics, fault = await _read_topics(api)
        return await respond(
            request, "topics.html", caller, topics=topics, fault=fault, now=api.clock.now()
        )


async def _read_topics(api: GatewayApi) -> tuple[list[TopicStatus], str]:
    """The topics, or why they cannot be read."""
    try:
        async with asyncio.timeout(TOPICS_SECONDS):
            return await api.read_topics(), ""
    except TimeoutError:
        return [], f"the broker did not answer within {TOPICS_SECONDS:g} s"
    except (KafkaError, OSError) as error:
        return [], f"the broker refused, or is away ({type(error).__name__})"


def _add_system(router: APIRouter, api: GatewayApi) -> None:
    operator = api.require_caller(Scope.OPERATE)

    @router.get("/system")
    async def show_system(request: Request, caller: Caller = operator) -> Response:
        """Workers and their slots, outbox, dead letters and connections."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            system = await read_system(api, tx, caller)
        return await respond(
            request,
            "system.html",
            caller,
            system=system,
            shedding=api.backpressure.describe_shedding(),
            now=api.clock.now(),
        )
