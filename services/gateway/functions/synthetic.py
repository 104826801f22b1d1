"""Rules of requests for synthetic data."""

from __future__ import annotations

from uuid import UUID

from archon_contracts.commands import (
    CancelSyntheticData,
    DataSource,
    GenerateSyntheticData,
    SourceKind,
)
from archon_contracts.values import AgentProfile, ArtifactRef
from services.gateway.auth.agent_binding import hide_other_agents
from services.gateway.auth.request_identity import RequestIdentity
from services.gateway.domain import DatasetView, ModelView, SyntheticView
from services.gateway.errors import Conflict, NotFound
from services.gateway.requests import SyntheticDataRequest

WHAT = "request for synthetic data"


def build_generation(
    identity: RequestIdentity,
    request: SyntheticDataRequest,
    examples: DatasetView | None,
    profile: AgentProfile | None,
    deployed: ModelView | None,
) -> GenerateSyntheticData:
    """The command that makes items, with what the agent's labels and questions are checked by."""
    source = None
    if examples is not None:
        source = DataSource(
            kind=SourceKind.EXTERNAL, artifact=examples.artifact, items=examples.items
        )
    return GenerateSyntheticData(
        tenant_id=identity.tenant_id,
        request_id=identity.id,
        examples=source,
        deployed=ArtifactRef(uri=deployed.uri, digest=deployed.digest) if deployed else None,
        held_out=profile.evaluation_suite if profile else None,
        answers=profile.labels if profile else (),
        **request.model_dump(exclude={"examples"}),
    )


def build_cancellation(
    found: SyntheticView | None, identity: RequestIdentity, request_id: UUID, reason: str
) -> CancelSyntheticData:
    """The command that stops a request.

    Raises:
        NotFound: there is no such request of the caller's.
        Conflict: it has ended.
    """
    if found is None:
        raise NotFound(WHAT, request_id)
    hide_other_agents(identity.caller, found.agent_id, WHAT, request_id)
    if found.finished_at is not None:
        raise Conflict(f"request {request_id} is {found.state} and can no longer be cancelled")
    return CancelSyntheticData(
        tenant_id=identity.tenant_id,
        agent_id=found.agent_id,
        request_id=request_id,
        reason=reason,
    )
