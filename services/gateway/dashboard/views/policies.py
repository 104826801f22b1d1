"""The policies of an agent: a form, what a change would do, and the change itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import RedirectResponse, Response

from archon_contracts.identifiers import new_id
from archon_contracts.values import TriggerPolicy
from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.dashboard.forms import read_body, read_form, with_idempotency_key
from services.gateway.dashboard.pages import respond
from services.gateway.dashboard.policy_backtests import DAYS, compare_triggers
from services.gateway.dashboard.policy_forms import (
    SECTIONS,
    list_changes,
    list_fields,
    read_policy,
    with_policy,
)
from services.gateway.domain import AgentView
from services.gateway.requests import DeployRequest
from services.gateway.routes.dependencies import AgentId, GatewayApi
from services.gateway.views.curriculum import FeedbackHistoryView

SEE_OTHER: Final = 303
Section = StrEnum("Section", {name.upper(): name for name in SECTIONS})  # type: ignore[misc]  # made of what is edited


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of policies."""
    router = APIRouter(include_in_schema=False, prefix="/agents/{agent_id}/policies/{section}")
    writer = api.require_caller(Scope.WRITE, bound=BoundKeys.APPLIED)
    command = api.require_command_caller(Scope.WRITE, bound=BoundKeys.APPLIED)

    @router.get("")
    async def show_policy(
        request: Request, agent_id: AgentId, section: Section, caller: Caller = writer
    ) -> Response:
        """The policy in force, in a form."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            agent = await api.queries.agent(tx, caller.tenant_id, agent_id)
        return await _show_form(request, caller, agent, section)

    @router.post("")
    async def change_policy(
        request: Request, agent_id: AgentId, section: Section, caller: Caller = command
    ) -> Response:
        """First what the change would do; with `confirm`, the change."""
        typed, raw = await read_form(request)
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            agent = await api.queries.agent(tx, caller.tenant_id, agent_id)
            history = await api.feedback_history.find(tx, caller.tenant_id, agent_id, DAYS)
        policy, errors = read_policy(section, agent.profile, typed)
        if policy is None or typed.get("configured_at") != _stamp(agent):
            return await _show_form(request, caller, agent, section, typed, errors)
        if "confirm" not in typed:
            return await _show_change(request, caller, agent, section, typed, policy, history)
        stated = {name: value for name, value in typed.items() if name == "reason"}
        reason = read_body(DeployRequest, stated).reason
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            repeatable = with_idempotency_key(request, typed, raw)
            identity = await api.idempotency.identify(tx, caller, repeatable)
            profile = with_policy(agent.profile, section, policy)
            await api.service.send_profile(tx, identity, profile, reason)
        return RedirectResponse(f"{_place(agent_id)}?accepted=policy", SEE_OTHER)

    return router


async def _show_form(
    request: Request,
    caller: Caller,
    agent: AgentView,
    section: str,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response:
    """The form; what was typed stays in it, beside why it was refused."""
    changed = typed is not None and not errors
    status = HTTPStatus.OK
    if typed is not None:
        status = HTTPStatus.CONFLICT if changed else HTTPStatus.UNPROCESSABLE_ENTITY
    return await respond(
        request,
        "policy.html",
        caller,
        status=status,
        agent=agent,
        section=section,
        tabs=SECTIONS_SHOWN,
        fields=list_fields(section, agent.profile, typed, errors),
        error=(errors or {}).get("", ""),
        changed_meanwhile=changed,
        configured_at=_stamp(agent),
    )


async def _show_change(
    request: Request,
    caller: Caller,
    agent: AgentView,
    section: str,
    typed: Mapping[str, str],
    policy: BaseModel,
    history: FeedbackHistoryView,
) -> Response:
    compared = None
    if isinstance(policy, TriggerPolicy):
        # In a thread: it replays some ten thousand answers.
        compared = await asyncio.to_thread(compare_triggers, history, agent.profile.trigger, policy)
    return await respond(
        request,
        "policy_change.html",
        caller,
        agent=agent,
        section=section,
        title=SECTIONS[section][0],
        changes=list_changes(section, agent.profile, policy),
        typed={n: v for n, v in typed.items() if n in type(policy).model_fields},
        configured_at=_stamp(agent),
        compared=compared,
        unused=agent.unused_feedback,
        days=DAYS,
        request_id=new_id(),
    )


def _stamp(agent: AgentView) -> str:
    """When the profile was confirmed: a form of another one is shown again, not applied."""
    return agent.configured_at.isoformat() if agent.configured_at else ""


def _place(agent_id: str) -> str:
    return f"/agents/{quote(agent_id, safe='')}"


SECTIONS_SHOWN: Final = [(name, title) for name, (title, _) in SECTIONS.items()]
