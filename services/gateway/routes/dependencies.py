"""The collaborators of the HTTP routes, and what a route may ask of a request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Path, Query, Request
from fastapi.security import HTTPBearer
from opentelemetry import trace

from archon_contracts import telemetry
from archon_contracts.base import Identifier
from archon_contracts.traffic_classes import (
    TrafficClass,
    parse_traffic_class,
    traffic_class_in_baggage,
)
from services.gateway.audit.trail import AuditTrail
from services.gateway.auth.admission import Admission
from services.gateway.auth.authenticator import ApiKeyAuthenticator
from services.gateway.auth.credentials import Caller, Scope, bearer_key
from services.gateway.datasets import Datasets
from services.gateway.dead_letters.service import DeadLetterService
from services.gateway.feedback.known_agents import KnownAgents
from services.gateway.feedback.producer import FeedbackProducer
from services.gateway.functions.service import FunctionService
from services.gateway.http.transactions import Transactions
from services.gateway.idempotency import Idempotency
from services.gateway.key_admin import KeyAdministration
from services.gateway.load.load_shedding import Backpressure
from services.gateway.read_models.queries import QueryService
from services.gateway.service import GatewayService
from services.gateway.settings import Settings
from services.gateway.sse.feed import EventHub
from services.gateway.sse.streams import StreamLimiter
from shared.artifacts.store import ArtifactStore
from shared.clock import Clock

AgentId = Annotated[Identifier, Path(description="The agent's name.")]
Version = Annotated[Identifier, Path(description="A semantic version, such as 1.2.0.")]
BEARER = HTTPBearer(
    scheme_name="ApiKey", description="A key of the gateway, as a bearer token.", auto_error=False
)
"""For the OpenAPI document only: `authenticate` reads the header, and refuses in our own form."""
Limit = Annotated[int, Query(ge=1, le=1000, description="At most this many.")]


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
    idempotency: Idempotency
    dead_letters: DeadLetterService
    audit: AuditTrail
    event_hub: EventHub
    stream_limiter: StreamLimiter
    queries: QueryService

    def require_caller(self, scope: Scope) -> Any:
        """A dependency that gives the caller, whose key must have `scope`."""

        async def authenticate(request: Request, _documented: Any = Depends(BEARER)) -> Caller:
            return await self._admit(request, scope)

        return Depends(authenticate)

    def require_command_caller(self, scope: Scope) -> Any:
        """The caller of a request that becomes a row of the outbox: refused when those wait."""

        async def authenticate(request: Request, _documented: Any = Depends(BEARER)) -> Caller:
            caller = await self._admit(request, scope)
            self.backpressure.outbox.require_room()
            return caller

        return Depends(authenticate)

    def require_feedback_caller(self, scope: Scope) -> Any:
        """The caller of a feedback request: refused before its body costs anything."""

        async def authenticate(request: Request, _documented: Any = Depends(BEARER)) -> Caller:
            caller = await self._admit(request, scope)
            self.admission.require_events(caller)
            self.backpressure.events.require_room(caller.tenant_id)
            self.backpressure.size.require_room(caller.tenant_id)
            return caller

        return Depends(authenticate)

    def require_stream_caller(self) -> Any:
        """The caller of a stream, which takes one of the key's places until it is over."""

        async def authenticate(
            request: Request, _documented: Any = Depends(BEARER)
        ) -> AsyncIterator[Caller]:
            caller = await self._admit(request, Scope.READ)
            with self.stream_limiter.open_stream(caller):
                yield caller

        return Depends(authenticate)

    async def _admit(self, request: Request, scope: Scope) -> Caller:
        caller = await self.admission.admit(
            key=bearer_key(request.headers.get("authorization", "")),
            address=request.client.host if request.client else "",
            scope=scope,
        )
        trace.get_current_span().set_attribute(telemetry.TENANT_ID, caller.tenant_id)
        return caller


def read_traffic_class(request: Request) -> TrafficClass | None:
    """What the request is for, as its W3C `baggage` says; None: production."""
    return parse_traffic_class(traffic_class_in_baggage(request.headers.get("baggage", "")))


def accepted(**fields: str | UUID | None) -> dict[str, str]:
    """The answer for a command that was taken: its names, as text."""
    return {"status": "accepted"} | {k: str(v) for k, v in fields.items() if v is not None}
