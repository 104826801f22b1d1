"""Dead letters of all services: list, show, replay."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from archon_contracts.base import Identifier
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.dead_letters.letters import DeadLetterDetail, DeadLetterView
from services.gateway.http.pages import PAGE, Page, PageRequest
from services.gateway.routes.dependencies import GatewayApi


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of dead letters; a scope of their own, since they may contain any tenant's data."""
    router = APIRouter(tags=["dead letters"], prefix="/dead-letters")
    operator, sender = api.require_caller(Scope.OPERATE), api.require_command_caller(Scope.OPERATE)

    @router.get("")
    async def list_letters(
        service: Annotated[Identifier | None, Query()] = None,
        page: PageRequest = PAGE,
        caller: Caller = operator,
    ) -> Page[DeadLetterView]:
        """The newest dead letters of all tenants and services."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            found = await api.dead_letters.newest(
                tx, service=service, limit=page.rows, offset=page.offset
            )
        return page.build(found)

    @router.get("/{letter_id}")
    async def show_letter(letter_id: Identifier, caller: Caller = operator) -> DeadLetterDetail:
        """A dead letter with its original headers and body."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            return await api.dead_letters.find(tx, letter_id)

    @router.post("/{letter_id}/replay", status_code=202)
    async def replay_letter(
        letter_id: Identifier, request: Request, caller: Caller = sender
    ) -> dict[str, str | int]:
        """Publish the original bytes and headers to the original topic again."""
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            identity = await api.idempotency.identify(tx, caller, request)
            replay = await api.dead_letters.replay(tx, identity, letter_id)
        return {"status": "accepted", "id": letter_id, "replay": replay}

    return router
