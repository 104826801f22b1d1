"""The specification's functions, under its names."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response

from services.gateway.auth.agent_binding import BoundKeys, require_agents
from services.gateway.auth.authenticator import require_scope
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.domain import BenchmarkView, JobAccepted, LogAnalysisView, SyntheticView
from services.gateway.feedback.body_parser import (
    name_stored_events,
    prepare,
    require_annotate_scope,
)
from services.gateway.functions.benchmarks import PAGE_SUFFIX
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
from services.gateway.requests import CancelRequest, JobRequest, SyntheticDataRequest
from services.gateway.routes.dependencies import GatewayApi, build_accepted, read_traffic_class

ReportFile = Annotated[str, Path(pattern=r"^[a-z0-9-]+\.(json|html)$", max_length=64)]
STARTED: Final[dict[int | str, dict[str, Any]]] = {
    202: {"description": "Something is run; `result` names where its outcome will be."}
}


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of the functions, and of their results."""
    router = APIRouter(route_class=FieldLimitedRoute, tags=["functions"])
    _add_writes(router, api)
    _add_synthetic_data(router, api)
    _add_reads(router, api)
    _add_benchmarks(router, api)
    _add_cancellations(router, api)
    _add_log_analyses(router, api)
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
        """Publish feedback, then start a training on all unused feedback, once this is stored.

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
            job = await api.service.request_training(
                tx, identity, job_request, feedback_ids=name_stored_events(events)
            )
        return _job_response(job, body.agent_id, len(events))


def _add_synthetic_data(router: APIRouter, api: GatewayApi) -> None:
    writer = api.require_command_caller(Scope.WRITE, bound=BoundKeys.APPLIED)
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

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

    @router.post("/synthetic/{request_id}/cancel", status_code=202)
    async def cancel_synthetic(
        request_id: UUID,
        request: Request,
        body: CancelRequest | None = None,
        caller: Caller = writer,
    ) -> dict[str, str]:
        """Stop a request for synthetic data that has no result yet."""
        reason = (body or CancelRequest()).reason
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            identity = await api.idempotency.identify(tx, caller, request)
            await api.service.cancel_synthetic(tx, identity, request_id, reason)
        return build_accepted(request_id=request_id)

    @router.get("/synthetic/{request_id}")
    async def show_synthetic(request_id: UUID, caller: Caller = reader) -> SyntheticView:
        """A request for synthetic data, with its result when it is ready."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            return await api.queries.synthetic(tx, caller, request_id)


def _add_reads(router: APIRouter, api: GatewayApi) -> None:
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.post("/functions/validateModel", responses=STARTED)
    async def validate_model(
        body: ValidateRequest, request: Request, response: Response, caller: Caller = reader
    ) -> ValidateResponse:
        """Check a version's evaluation and every byte of its artifact, and start its checks.

        What is run needs the scope `write` too: the version is loaded and answers golden items,
        suites and the guardrail suite, within a latency limit. `result` names the outcome.
        """
        require_agents(caller, [body.agent_id])
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            model = await api.functions.model_to_validate(tx, caller.tenant_id, body)
        stored = await api.functions.validate_model(model)
        if not body.run:
            return stored
        _require_run(api, caller)
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            identity = await api.idempotency.identify(tx, caller, request)
            started = await api.benchmarks.validate(tx, identity, model, body)
        response.status_code = HTTPStatus.ACCEPTED
        return stored.model_copy(update=_name_result(started))

    @router.post("/functions/benchmarkAgent", responses=STARTED)
    async def benchmark_agent(
        body: BenchmarkRequest, request: Request, response: Response, caller: Caller = reader
    ) -> BenchmarkResponse:
        """Show evaluated versions side by side, and run suites on versions.

        What is run needs the scope `write` too; `result` names where its figures will be.
        """
        require_agents(caller, [body.agent_id])
        if not body.run:
            async with api.transactions.begin_read(caller.tenant_id) as tx:
                return await api.functions.benchmark(tx, caller.tenant_id, body)
        _require_run(api, caller)
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            identity = await api.idempotency.identify(tx, caller, request)
            started = await api.benchmarks.benchmark(tx, identity, body)
            stored = await api.functions.list_benchmarks(tx, caller.tenant_id, body)
        response.status_code = HTTPStatus.ACCEPTED
        return BenchmarkResponse(agent_id=body.agent_id, versions=stored, **_name_result(started))


def _add_benchmarks(router: APIRouter, api: GatewayApi) -> None:
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.get("/benchmarks/{benchmark_id}")
    async def show_benchmark(benchmark_id: UUID, caller: Caller = reader) -> BenchmarkView:
        """A benchmark or validation, with its progress or outcome."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            return await api.benchmarks.find(tx, caller, benchmark_id)

    @router.get("/benchmarks/{benchmark_id}/reports/{file}")
    async def show_benchmark_report(
        benchmark_id: UUID, file: ReportFile, caller: Caller = reader
    ) -> Response:
        """The report of one version on one suite, by `report_file`; `.html`: as one page."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            benchmark = await api.benchmarks.find(tx, caller, benchmark_id)
        content = await api.benchmarks.read_report(benchmark, file)
        kind = "text/html" if file.endswith(PAGE_SUFFIX) else "application/json"
        # The page names its own style; nothing in it may run, whatever an agent answered.
        policy = "sandbox; frame-ancestors 'none'"
        return Response(content, media_type=kind, headers={"content-security-policy": policy})


def _add_cancellations(router: APIRouter, api: GatewayApi) -> None:
    writer = api.require_command_caller(Scope.WRITE, bound=BoundKeys.APPLIED)

    @router.post("/benchmarks/{benchmark_id}/cancel", status_code=202)
    async def cancel_benchmark(
        benchmark_id: UUID,
        request: Request,
        body: CancelRequest | None = None,
        caller: Caller = writer,
    ) -> dict[str, str]:
        """Cancel a benchmark or validation that has not ended."""
        reason = (body or CancelRequest()).reason
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            identity = await api.idempotency.identify(tx, caller, request)
            await api.benchmarks.cancel(tx, caller, identity, benchmark_id, reason)
        return build_accepted(benchmark_id=benchmark_id)


def _add_log_analyses(router: APIRouter, api: GatewayApi) -> None:
    reader = api.require_caller(Scope.READ, bound=BoundKeys.APPLIED)

    @router.post("/functions/analyzeAgentLogs", responses=STARTED)
    async def analyze_agent_logs(
        body: AnalyseRequest, request: Request, response: Response, caller: Caller = reader
    ) -> AnalyseResponse:
        """Show statistics of what an agent reported, or of the lines sent, and analyse them.

        What is run needs the scope `write` too; `result` names where failure clusters, drift,
        cost, slow and looping interactions and suggestions will be.
        """
        require_agents(caller, [body.agent_id])
        if body.runs:
            _require_run(api, caller)
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            stored = await api.functions.analyse_logs(tx, caller.tenant_id, body)
        if not body.runs:
            return stored
        # Before the transaction: none stays open while a file is written.
        lines = None if body.logs is None else await api.log_analyses.publish_lines(body.logs)
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            identity = await api.idempotency.identify(tx, caller, request)
            started = await api.log_analyses.start(tx, identity, body, lines)
        response.status_code = HTTPStatus.ACCEPTED
        named = {"analysis_id": started, "result": f"/v1/log-analyses/{started}"}
        return stored.model_copy(update=named)

    @router.get("/log-analyses/{analysis_id}")
    async def show_log_analysis(analysis_id: UUID, caller: Caller = reader) -> LogAnalysisView:
        """An analysis of an agent's logs, with its progress or what it found.

        Each suggestion can be started with one call: POST its `body` to its `path`.
        """
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            return await api.log_analyses.find(tx, caller, analysis_id)


def _require_run(api: GatewayApi, caller: Caller) -> None:
    """Refuse to start work for a key that may only read, or while the outbox is full."""
    require_scope(caller, Scope.WRITE)
    api.backpressure.outbox.require_room()


def _name_result(benchmark_id: UUID) -> dict[str, Any]:
    return {"benchmark_id": benchmark_id, "result": f"/v1/benchmarks/{benchmark_id}"}


def _job_response(job: JobAccepted, agent_id: str, feedback: int | None = None) -> JobResponse:
    return JobResponse(
        job_id=job.job_id,
        agent_id=agent_id,
        status="requested",
        trace_id=job.trace_id,
        accepted_feedback=feedback,
    )
