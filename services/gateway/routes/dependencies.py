"""The collaborators of the HTTP routes, and their dependencies on a request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Path, Request, Security
from fastapi.security import HTTPBearer
from opentelemetry import trace

from archon_contracts import telemetry
from archon_contracts.base import Identifier, Name
from archon_contracts.traffic_classes import (
    TrafficClass,
    parse_traffic_class,
    traffic_class_in_baggage,
)
from services.gateway.audit.trail import AuditTrail
from services.gateway.auth.admission import Admission
from services.gateway.auth.agent_binding import BoundKeys, require_binding
from services.gateway.auth.authenticator import ApiKeyAuthenticator, require_scope
from services.gateway.auth.credentials import Caller, Scope, bearer_key
from services.gateway.auth.sessions import Sessions
from services.gateway.dataset_versions.service import DatasetVersions
from services.gateway.datasets import Datasets
from services.gateway.dead_letters.service import DeadLetterService
from services.gateway.feedback.known_agents import KnownAgents
from services.gateway.feedback.producer import FeedbackProducer
from services.gateway.functions.benchmarks import Benchmarks
from services.gateway.functions.log_analyses import LogAnalyses
from services.gateway.functions.service import FunctionService
from services.gateway.http.body_gate import admitted_caller, hold_place
from services.gateway.http.transactions import Transactions
from services.gateway.idempotency import Idempotency
from services.gateway.key_admin import KeyAdministration
from services.gateway.load.load_shedding import Backpressure
from services.gateway.metrics.queries import MetricQueries
from services.gateway.models.commands import ModelCommands
from services.gateway.models.queries import ModelQueries
from services.gateway.read_models.curricula import CurriculumReadModel
from services.gateway.read_models.experiments import ExperimentReadModel
from services.gateway.read_models.feedback_history import FeedbackHistoryReadModel
from services.gateway.read_models.queries import QueryService
from services.gateway.reports.service import RunReports
from services.gateway.reviews.service import Reviews
from services.gateway.service import GatewayService
from services.gateway.settings import Settings
from services.gateway.sse.event_hub import EventHub
from services.gateway.sse.streams import StreamLimiter
from services.gateway.webhooks.service import Webhooks
from shared.artifacts.store import ArtifactStore
from shared.kafka.topic_admin import TopicStatus
from shared.ports import Clock

AgentId = Annotated[Name, Path(description="The agent's name.")]
Version = Annotated[Identifier, Path(description="A semantic version, such as 1.2.0.")]
BEARER = HTTPBearer(
    scheme_name="ApiKey", description="A key of the gateway, as a bearer token.", auto_error=False
)
"""For the OpenAPI document only: `authenticate` reads the header itself and refuses with a problem
document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayApi:
    """Built once, in `app.py`."""

    settings: Settings
    clock: Clock
    authenticator: ApiKeyAuthenticator
    key_administration: KeyAdministration
    admission: Admission
    backpressure: Backpressure
    transactions: Transactions
    artifacts: ArtifactStore
    feedback_producer: FeedbackProducer
    known_agents: KnownAgents
    service: GatewayService
    datasets: Datasets
    functions: FunctionService
    benchmarks: Benchmarks
    log_analyses: LogAnalyses
    idempotency: Idempotency
    dead_letters: DeadLetterService
    audit: AuditTrail
    event_hub: EventHub
    stream_limiter: StreamLimiter
    queries: QueryService
    experiments: ExperimentReadModel
    curricula: CurriculumReadModel
    feedback_history: FeedbackHistoryReadModel
    metrics: MetricQueries
    models: ModelQueries
    model_commands: ModelCommands
    reports: RunReports
    dataset_versions: DatasetVersions
    reviews: Reviews
    sessions: Sessions
    webhooks: Webhooks
    read_topics: Callable[[], Awaitable[list[TopicStatus]]]

    def require_caller(self, scope: Scope, *, bound: BoundKeys = BoundKeys.REFUSED) -> Any:
        """A dependency on the caller, whose key must have `scope`.

        With `BoundKeys.APPLIED` the route itself checks or filters what its body and its answer
        name; agents in the URL are checked here.
        """
        documented = document_scope(scope)

        async def authenticate(request: Request, _documented: Any = documented) -> Caller:
            return await self._admit(request, scope, bound)

        return Depends(authenticate)

    def require_command_caller(self, scope: Scope, *, bound: BoundKeys = BoundKeys.REFUSED) -> Any:
        """The caller of a command: refused while the outbox is over its limits."""
        documented = document_scope(scope)

        async def authenticate(request: Request, _documented: Any = documented) -> Caller:
            caller = await self._admit(request, scope, bound)
            self.backpressure.outbox.require_room()
            return caller

        return Depends(authenticate)

    def require_feedback_caller(self, scope: Scope) -> Any:
        """The caller of a feedback request: limits are checked before the body is read."""
        documented = document_scope(scope)

        async def authenticate(request: Request, _documented: Any = documented) -> Caller:
            return await self.admit_feedback(request, scope)

        return Depends(authenticate)

    async def admit_feedback(self, request: Request, scope: Scope) -> Caller:
        """The caller of a feedback request, whose key has `scope`.

        Raises:
            ArchonError: it is not let in, or over its limits.
        """
        caller = await self._admit(request, scope, BoundKeys.APPLIED)
        self.admission.require_events(caller)
        self.backpressure.events.require_room(caller.tenant_id)
        return caller

    def require_stream_caller(self) -> Any:
        """The caller of a stream, which counts against the key's limit until it ends."""
        documented = document_scope(Scope.READ)

        async def authenticate(
            request: Request, _documented: Any = documented
        ) -> AsyncIterator[Caller]:
            caller = await self._admit(request, Scope.READ, BoundKeys.APPLIED)
            with self.stream_limiter.open_stream(caller):
                yield caller

        return Depends(authenticate)

    async def _admit(self, request: Request, scope: Scope, bound: BoundKeys) -> Caller:
        caller = admitted_caller(request)
        if caller is None:
            caller = await self.admission.admit(
                key=bearer_key(request.headers.get("authorization", "")),
                address=request.client.host if request.client else "",
                scope=scope,
            )
            hold_place(request, caller, self.backpressure)
        else:
            require_scope(caller, scope)
        require_binding(request, caller, bound)
        trace.get_current_span().set_attribute(telemetry.TENANT_ID, caller.tenant_id)
        return caller


def document_scope(scope: Scope) -> Any:
    """The scope of a route in the OpenAPI document; it checks nothing."""
    return Security(BEARER, scopes=[scope.value])


def read_traffic_class(request: Request, caller: Caller) -> TrafficClass | None:
    """The traffic class in the W3C `baggage` of a request; None: production.

    Baggage travels along a trace, so users of an agent can write it: only keys that may start
    trainings are believed. A field of the event is the sender's own statement.
    """
    if Scope.WRITE not in caller.scopes:
        return None
    return parse_traffic_class(traffic_class_in_baggage(request.headers.get("baggage", "")))


def build_accepted(**fields: str | UUID | None) -> dict[str, str]:
    """The answer for an accepted command: the names of what it concerns, as text."""
    return {"status": "accepted"} | {k: str(v) for k, v in fields.items() if v is not None}
