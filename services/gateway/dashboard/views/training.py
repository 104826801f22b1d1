"""What somebody starts for an agent: a training, or the generation of synthetic items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from archon_contracts.identifiers import new_id
from archon_contracts.values import TrainingMethod
from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.dashboard.forms import read_body, read_form, with_idempotency_key
from services.gateway.dashboard.pages import respond
from services.gateway.domain import WORKER_TIMEOUT
from services.gateway.http.numbers import read_number, read_whole_number
from services.gateway.requests import JobRequest, SyntheticDataRequest
from services.gateway.routes.dependencies import AgentId, GatewayApi

SEE_OTHER: Final = 303
PREVIEWED: Final = 12
"""Items of a preview: enough to see what is made, and made in seconds."""
DATASETS_OFFERED: Final = 100


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of what is started for an agent."""
    router = APIRouter(include_in_schema=False, prefix="/agents/{agent_id}")
    _add_train(router, api)
    _add_generate(router, api)
    return router


def _add_train(router: APIRouter, api: GatewayApi) -> None:
    writer = api.require_caller(Scope.WRITE, bound=BoundKeys.APPLIED)
    command = api.require_command_caller(Scope.WRITE, bound=BoundKeys.APPLIED)

    @router.get("/train")
    async def show_training(
        request: Request, agent_id: AgentId, dataset: str = "", caller: Caller = writer
    ) -> Response:
        """What a training would learn from, and the button that starts it."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            agent = await api.queries.agent(tx, caller.tenant_id, agent_id)
            announced = await api.queries.store.announced_methods(
                tx, seen_after=api.clock.now() - WORKER_TIMEOUT
            )
            datasets = await api.queries.store.datasets(
                tx, caller.tenant_id, limit=DATASETS_OFFERED
            )
        methods = sorted(announced.get(agent.kind, ())) or sorted(TrainingMethod)
        return await respond(
            request,
            "train.html",
            caller,
            agent=agent,
            methods=[TrainingMethod(each).value for each in methods],
            datasets=[each.name for each in datasets if each.purpose == "training"],
            chosen=dataset,
            request_id=new_id(),
        )

    @router.post("/train")
    async def start_training(
        request: Request, agent_id: AgentId, caller: Caller = command
    ) -> Response:
        """As POST /v1/jobs."""
        fields, raw = await read_form(request)
        body = read_body(JobRequest, fields | {"agent_id": agent_id})
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            repeatable = with_idempotency_key(request, fields, raw)
            identity = await api.idempotency.identify(tx, caller, repeatable)
            job = await api.service.request_training(tx, identity, body)
        return RedirectResponse(f"/jobs/{job.job_id}", SEE_OTHER)


def _add_generate(router: APIRouter, api: GatewayApi) -> None:
    writer = api.require_caller(Scope.WRITE, bound=BoundKeys.APPLIED)
    command = api.require_command_caller(Scope.WRITE, bound=BoundKeys.APPLIED)

    @router.get("/generate")
    async def show_generator(
        request: Request, agent_id: AgentId, caller: Caller = writer
    ) -> Response:
        """The form of the generator; the address may fill it in."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            agent = await api.queries.agent(tx, caller.tenant_id, agent_id)
            datasets = await api.queries.store.datasets(
                tx, caller.tenant_id, limit=DATASETS_OFFERED
            )
        return await respond(
            request,
            "generate.html",
            caller,
            agent=agent,
            datasets=[each.name for each in datasets if each.purpose == "training"],
            filled=request.query_params,
            previewed=PREVIEWED,
            request_id=new_id(),
        )

    @router.post("/generate")
    async def generate(request: Request, agent_id: AgentId, caller: Caller = command) -> Response:
        """As POST /v1/functions/generateSyntheticTrainingData; a preview asks for few items."""
        fields, raw = await read_form(request)
        body = read_generation(agent_id, fields)
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            repeatable = with_idempotency_key(request, fields, raw)
            identity = await api.idempotency.identify(tx, caller, repeatable)
            request_id = await api.service.generate_synthetic(tx, identity, body)
        return RedirectResponse(f"/data/generated/{request_id}", SEE_OTHER)


def read_generation(agent_id: str, fields: Mapping[str, str]) -> SyntheticDataRequest:
    """The body of the API's request, whose numbers are no texts.

    Raises:
        Invalid: a field breaks a rule, as in the API.
    """
    typed: dict[str, object] = dict(fields)
    typed.pop("preview", None)
    typed["agent_id"] = agent_id
    typed["edge_cases"] = fields.get("edge_cases") == "yes"
    for name, read in (
        ("count", read_whole_number),
        ("seed", read_whole_number),
        ("diversity", read_number),
    ):
        text = fields.get(name, "").strip()
        number = read(text)
        typed[name] = text if number is None else number
    if "preview" in fields:
        typed["count"] = PREVIEWED
    return read_body(SyntheticDataRequest, typed)
