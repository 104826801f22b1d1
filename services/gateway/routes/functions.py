"""The specification's functions, under its names."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request

from services.gateway.auth.agent_binding import BoundKeys, require_agents
from services.gateway.auth.authenticator import require_scope
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.domain import JobAccepted, SyntheticView
from services.gateway.feedback.body_parser import prepare, require_annotate_scope
from services.gateway.functions.requests import (
    AdaptRequest,
    AnalyseRequest,
    AnalyseResponse,
    BenchmarkRequest,
    BenchmarkResponse,
    GenerateRequest,
    GenerateResponse,
    JobResponse,
    TrainAgentRequest,
    ValidateRequest,
    ValidateResponse,
)
from services.gateway.functions.service import build_feedback_events, build_job_request
from services.gateway.http.field_limit import FieldLimitedRoute
from services.gateway.requests import JobRequest, SyntheticDataRequest
from services.gateway.routes.dependencies import GatewayApi, read_traffic_class


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of the functions, and of their results."""
    router = APIRouter(route_class=FieldLimitedRoute, tags=["functions"])
    _add_writes(router, api)
    _add_reads(router, api)
    return router


def _add_writes(router: APIRouter, api: GatewayApi) -> None:
    writer = api.require_command_caller(Scope.WRITE, bound=BoundKeys.APPLIED)

    @router.post("/functions/trainAgent", status_code=202)
    async def train_agent(
        body: TrainAgentRequest, request: Request, caller: Caller = writer
    ) -> JobResponse:
        """Start a training."""
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            identity = await api.idempotency.identify(tx, caller, request)
            job = await api.service.request_training(tx, identity, build_job_request(body))
        return _job_response(job, body.agent_id)

    @router.post("/functions/adaptAgentBehavior", status_code=202)
    async def adapt_agent_behavior(
        body: AdaptRequest, request: Request, caller: Caller = writer
    ) -> JobResponse:
        """Publish feedback, then start a training on all unused feedback.

        The key needs the scope `feedback` too.
        """
        require_agents(caller, [body.agent_id])
        require_scope(caller, Scope.FEEDBACK)
        await api.known_agents.require(caller.tenant_id, [body.agent_id])
        feedback_events = build_feedback_events(body)
        require_annotate_scope(caller, feedback_events, ("feedback",))
        # Before anything is sent: a refused request must have no effect.
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            identity = await api.idempotency.identify(tx, caller, request)
            await api.service.require_method(tx, caller.tenant_id, body.agent_id, body.method)
            await api.service.require_job_room(tx, identity)
        events = prepare(
            feedback_events,
            caller=caller,
            idempotency_key="",
            limit=api.settings.gateway_event_limit_bytes,
            traffic_class=read_traffic_class(request, caller),
        )
        api.admission.consume_events(caller, len(events))
        await api.feedback_producer.send(events, traceparent=request.headers.get("traceparent", ""))
        # A second transaction: none stays open while Kafka is waited for.
        job_request = JobRequest(agent_id=body.agent_id, method=body.method)
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            job = await api.service.request_training(tx, identity, job_request)
        return _job_response(job, body.agent_id, len(events))

    @router.post("/functions/generateSyntheticTrainingData", status_code=202)
    async def generate_synthetic_training_data(
        body: GenerateRequest, request: Request, caller: Caller = writer
    ) -> GenerateResponse:
        """Request synthetic items; the answer names where the result will be."""
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            identity = await api.idempotency.identify(tx, caller, request)
            synthetic = SyntheticDataRequest(**body.model_dump())
            request_id = await api.service.generate_synthetic(tx, identity, synthetic)
        result = f"/v1/synthetic/{request_id}"
        return GenerateResponse(request_id=request_id, status="requested", result=result)


def _add_reads(router: APIRouter, api: GatewayApi) -> None:
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.post("/functions/validateModel")
    async def validate_model(body: ValidateRequest, caller: Caller = reader) -> ValidateResponse:
        """Check a version's evaluation and every byte of its artifact."""
        require_agents(caller, [body.agent_id])
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            model = await api.functions.model_to_validate(tx, caller.tenant_id, body)
        return await api.functions.validate_model(model)

    @router.post("/functions/benchmarkAgent")
    async def benchmark_agent(body: BenchmarkRequest, caller: Caller = reader) -> BenchmarkResponse:
        """Evaluated versions side by side."""
        require_agents(caller, [body.agent_id])
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            return await api.functions.benchmark(tx, caller.tenant_id, body)

    @router.post("/functions/analyzeAgentLogs")
    async def analyze_agent_logs(body: AnalyseRequest, caller: Caller = reader) -> AnalyseResponse:
        """Statistics of what an agent reported, or of the lines sent."""
        require_agents(caller, [body.agent_id])
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            return await api.functions.analyse_logs(tx, caller.tenant_id, body)

    @router.get("/synthetic/{request_id}")
    async def show_synthetic(request_id: UUID, caller: Caller = reader) -> SyntheticView:
        """A request for synthetic data, with its result when it is ready."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            return await api.queries.synthetic(tx, caller, request_id)


def _job_response(job: JobAccepted, agent_id: str, feedback: int | None = None) -> JobResponse:
    return JobResponse(
        job_id=job.job_id,
        agent_id=agent_id,
        status="requested",
        trace_id=job.trace_id,
        accepted_feedback=feedback,
    )
