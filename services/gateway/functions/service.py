"""Use cases behind the specification's functions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import orjson
from pydantic import ValidationError

from archon_contracts.events import FeedbackReceived
from archon_contracts.identifiers import derived_id
from archon_contracts.metric_names import ACCURACY, ACCURACY_AT_5, LATENCY_SECONDS
from archon_contracts.values import ArtifactRef
from services.gateway.domain import ModelView
from services.gateway.errors import NotFound
from services.gateway.feedback.hourly_stats import (
    analyse,
    count_by_hour,
    start_of_hour,
)
from services.gateway.functions.integrity import IntegrityChecks
from services.gateway.functions.requests import (
    AdaptRequest,
    AnalyseRequest,
    AnalyseResponse,
    BenchmarkRequest,
    BenchmarkResponse,
    TrainAgentRequest,
    ValidateRequest,
    ValidateResponse,
    ValidationCheck,
    VersionBenchmark,
)
from services.gateway.http.validation import reject_unstorable, to_request_error
from services.gateway.requests import JobRequest
from services.gateway.store import GatewayStore
from shared.artifacts.store import ArtifactStore
from shared.errors import ArtifactCorrupt, ArtifactMissing, ArtifactUnsafe
from shared.ports import Clock
from shared.postgres.database import Tx


class FunctionService:
    """Reads that answer a function; `tx` is only read from."""

    def __init__(self, store: GatewayStore, artifacts: ArtifactStore, clock: Clock) -> None:
        self._store = store
        self._integrity = IntegrityChecks(artifacts)
        self._clock = clock

    async def model_to_validate(
        self, tx: Tx, tenant_id: str, request: ValidateRequest
    ) -> ModelView:
        """The requested version, or the deployed one.

        Raises:
            NotFound: no such version, or none is deployed.
        """
        version = request.version or await self._store.deployed_version(
            tx, tenant_id, request.agent_id
        )
        if version is None:
            raise NotFound("deployed version of agent", request.agent_id)
        found = await self._store.models(tx, tenant_id, request.agent_id, version=version)
        if not found:
            raise NotFound(f"model version of agent {request.agent_id}", version)
        return found[0]

    async def validate_model(self, model: ModelView) -> ValidateResponse:
        """Check the gate's decision and every byte of the artifact; slow: not in a transaction."""
        checks = [*_check_evaluation(model), await self._check_integrity(model)]
        return ValidateResponse(
            agent_id=model.agent_id,
            version=model.version,
            valid=all(check.passed for check in checks),
            checks=checks,
            metrics=model.metrics,
        )

    async def benchmark(
        self, tx: Tx, tenant_id: str, request: BenchmarkRequest
    ) -> BenchmarkResponse:
        """The stored evaluations of an agent's versions, newest first.

        Raises:
            NotFound: no version of the agent was evaluated.
        """
        lines = await self.list_benchmarks(tx, tenant_id, request)
        if not lines:
            raise NotFound("evaluated version of agent", request.agent_id)
        return BenchmarkResponse(agent_id=request.agent_id, versions=lines)

    async def list_benchmarks(
        self, tx: Tx, tenant_id: str, request: BenchmarkRequest
    ) -> list[VersionBenchmark]:
        """The same, empty where no version was evaluated."""
        models = await self._store.models(tx, tenant_id, request.agent_id)
        return [
            _build_version_benchmark(model, model.evaluation)
            for model in models
            if model.evaluation is not None
            and (not request.versions or model.version in request.versions)
        ]

    async def analyse_logs(
        self, tx: Tx, tenant_id: str, request: AnalyseRequest
    ) -> AnalyseResponse:
        """Statistics over the lines sent, or over the stored feedback of the last hours.

        Raises:
            NotFound: no such agent.
        """
        if not await self._store.has_agent(tx, tenant_id, request.agent_id):
            raise NotFound("agent", request.agent_id)
        now = self._clock.now()
        if request.logs is not None:
            hours, source = count_by_hour(request.logs, now=now), "logs"
        else:
            # Counters are of whole hours, so the hour in which the period begins counts in full.
            since = start_of_hour(now - timedelta(hours=request.hours))
            hours = await self._store.feedback_hours(tx, tenant_id, request.agent_id, since)
            source = "feedback"
        return AnalyseResponse(
            agent_id=request.agent_id, source=source, **analyse(hours).model_dump()
        )

    async def _check_integrity(self, model: ModelView) -> ValidationCheck:
        ref = ArtifactRef(uri=model.uri, digest=model.digest)
        try:
            await self._integrity.check(ref)
        except (ArtifactMissing, ArtifactCorrupt, ArtifactUnsafe) as error:
            return ValidationCheck(name="integrity", passed=False, detail=str(error))
        detail = f"every file hashes to what manifest {model.digest[:12]} states"
        return ValidationCheck(name="integrity", passed=True, detail=detail)


UNNAMED_INTERACTION: Final = "adapt"


def build_job_request(request: TrainAgentRequest) -> JobRequest:
    """trainAgent as a job."""
    return JobRequest(
        agent_id=request.agent_id,
        method=request.config.method,
        dataset=request.config.dataset,
        source_agent=request.config.source_agent,
        source_version=request.config.source_version,
        config=request.config.training_config(),
    )


def build_feedback_events(request: AdaptRequest) -> list[FeedbackReceived]:
    """adaptAgentBehavior's items as feedback events.

    An item without an interaction is its own: the id comes from its content, so that sending it
    again counts once.

    Raises:
        Invalid: an item breaks a rule; field and index are named.
        MalformedBody: an item holds the NUL character.
    """
    events = []
    for index, item in enumerate(request.feedback):
        # As JSON again, because the check looks for NUL in its escaped form, as bodies have it.
        reject_unstorable(json.dumps(item).encode())
        fields = {_to_snake_case(name): value for name, value in item.items()}
        provided = {"interaction_id": UNNAMED_INTERACTION, **fields, "agent_id": request.agent_id}
        try:
            event = FeedbackReceived.model_validate(provided, extra="forbid")
        except ValidationError as error:
            raise to_request_error(error, ("feedback", index)) from error
        if "interaction_id" not in fields:
            # After the check: of what cannot be stored no id can be derived either.
            derived = {"interaction_id": _derive_interaction_id(fields)}
            event = event.model_copy(update=derived)
        events.append(event)
    return events


def _derive_interaction_id(fields: dict[str, Any]) -> str:
    # Sorted, so that the order in which a client writes fields changes no id.
    content = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()
    return f"adapt-{derived_id('adapt', content)}"


def _to_snake_case(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _check_evaluation(model: ModelView) -> Sequence[ValidationCheck]:
    if model.evaluation is None:
        return [
            ValidationCheck(name="evaluated", passed=False, detail="no evaluation is stored for it")
        ]
    reasons = "; ".join(model.evaluation.get("reasons", ())) or "no reason stated"
    accuracy = model.evaluation[ACCURACY].get("candidate", {}).get("all", {})
    summary = f"accuracy {accuracy['value']:.3f} on {accuracy['n']} items" if accuracy else "scored"
    return [
        ValidationCheck(name="evaluated", passed=True, detail=summary),
        ValidationCheck(name="gate", passed=bool(model.evaluation["passed"]), detail=reasons),
    ]


def _build_version_benchmark(model: ModelView, evaluation: dict[str, Any]) -> VersionBenchmark:
    accuracy = dict(evaluation[ACCURACY])
    return VersionBenchmark(
        version=model.version,
        status=model.status,
        passed=evaluation["passed"],
        reasons=list(evaluation.get("reasons", ())),
        accuracy=accuracy.pop("candidate", {}),
        accuracy_at_5=evaluation.get(ACCURACY_AT_5, {}).get("candidate", {}),
        compared_with=accuracy,
        comparison=evaluation.get("comparison", {}),
        latency_seconds=evaluation.get(LATENCY_SECONDS, {}).get("candidate"),
    )
