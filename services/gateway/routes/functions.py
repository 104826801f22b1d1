"""The specification's functions, under its names."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request

from services.gateway.auth.credentials import Caller, Scope
from services.gateway.domain import JobAccepted, SyntheticView
from services.gateway.feedback.body_parser import prepare, require_annotate
from services.gateway.functions.requests import (
    AdaptWish,
    AnalyseAnswer,
    AnalyseWish,
    BenchmarkAnswer,
    BenchmarkWish,
    GenerateAnswer,
    GenerateWish,
    JobAnswer,
    TrainAgentWish,
    ValidateAnswer,
    ValidateWish,
)
from services.gateway.functions.service import feedback_of, job_wish
from services.gateway.http.field_limit import BoundedRoute
from services.gateway.requests import JobWish, SyntheticWish
from services.gateway.routes.dependencies import Api, purpose_of
from services.gateway.service import require_method


def build_router(api: Api) -> APIRouter:
    """Routes of the functions, and of what they leave behind."""
    router = APIRouter(route_class=BoundedRoute, tags=["functions"])
    _add_writes(router, api)
    _add_reads(router, api)
    return router


def _add_writes(router: APIRouter, api: Api) -> None:
    writer = api.commander(Scope.WRITE)

    @router.post("/functions/trainAgent", status_code=202)
    async def train_agent(
        wish: TrainAgentWish, request: Request, caller: Caller = writer
    ) -> JobAnswer:
        """Start a training."""
        async with api.transactions.writing(caller.tenant_id) as tx:
            order = await api.idempotency.asked(tx, caller, request)
            job = await api.service.request_training(tx, order, job_wish(wish))
        return _started(job, wish.agent_id)

    @router.post("/functions/adaptAgentBehavior", status_code=202)
    async def adapt_agent_behavior(
        wish: AdaptWish, request: Request, caller: Caller = writer
    ) -> JobAnswer:
        """Publish feedback, then start a training on all that is unused."""
        require_method(wish.method)
        await api.known_agents.require(caller.tenant_id, [wish.agent_id])
        given = feedback_of(wish)
        require_annotate(caller, given, ("feedback",))
        # Before anything is sent: what is refused must have had no effect.
        async with api.transactions.writing(caller.tenant_id) as tx:
            order = await api.idempotency.asked(tx, caller, request)
        events = prepare(
            given,
            tenant_id=caller.tenant_id,
            idempotency_key="",
            limit=api.settings.gateway_event_limit_bytes,
            purpose=purpose_of(request),
        )
        api.admission.take_events(caller, len(events))
        await api.intake.send(events, traceparent=request.headers.get("traceparent", ""))
        job_of = JobWish(agent_id=wish.agent_id, method=wish.method)
        async with api.transactions.writing(caller.tenant_id) as tx:
            job = await api.service.request_training(tx, order, job_of)
        return _started(job, wish.agent_id, len(events))

    @router.post("/functions/generateSyntheticTrainingData", status_code=202)
    async def generate_synthetic_training_data(
        wish: GenerateWish, request: Request, caller: Caller = writer
    ) -> GenerateAnswer:
        """Ask the generator for items."""
        async with api.transactions.writing(caller.tenant_id) as tx:
            order = await api.idempotency.asked(tx, caller, request)
            synthetic = SyntheticWish(**wish.model_dump())
            request_id = await api.service.generate_synthetic(tx, order, synthetic)
        result = f"/v1/synthetic/{request_id}"
        return GenerateAnswer(request_id=request_id, status="requested", result=result)


def _add_reads(router: APIRouter, api: Api) -> None:
    reader = api.caller(Scope.READ)

    @router.post("/functions/validateModel")
    async def validate_model(wish: ValidateWish, caller: Caller = reader) -> ValidateAnswer:
        """Check a version's evaluation and every byte of its artifact."""
        async with api.transactions.reading(caller.tenant_id) as tx:
            model = await api.functions.model_to_validate(tx, caller.tenant_id, wish)
        return await api.functions.validate_model(model)

    @router.post("/functions/benchmarkAgent")
    async def benchmark_agent(wish: BenchmarkWish, caller: Caller = reader) -> BenchmarkAnswer:
        """Evaluated versions side by side."""
        async with api.transactions.reading(caller.tenant_id) as tx:
            return await api.functions.benchmark(tx, caller.tenant_id, wish)

    @router.post("/functions/analyzeAgentLogs")
    async def analyze_agent_logs(wish: AnalyseWish, caller: Caller = reader) -> AnalyseAnswer:
        """Statistics of what an agent reported, or of the lines given."""
        async with api.transactions.reading(caller.tenant_id) as tx:
            return await api.functions.analyse_logs(tx, caller.tenant_id, wish)

    @router.get("/synthetic/{request_id}")
    async def show_synthetic(request_id: UUID, caller: Caller = reader) -> SyntheticView:
        """A request for synthetic data, with its result when it is ready."""
        async with api.transactions.reading(caller.tenant_id) as tx:
            return await api.reading.synthetic(tx, caller.tenant_id, request_id)


def _started(job: JobAccepted, agent_id: str, feedback: int | None = None) -> JobAnswer:
    return JobAnswer(
        job_id=job.job_id,
        agent_id=agent_id,
        status="requested",
        trace_id=job.trace_id,
        accepted_feedback=feedback,
    )
