"""The version that a transfer starts from, checked when it is requested."""

from __future__ import annotations

from archon_contracts.values import TrainingMethod
from services.gateway.auth.agent_binding import require_agents
from services.gateway.auth.request_identity import RequestIdentity
from services.gateway.errors import FieldError, Invalid, NotFound
from services.gateway.models.lookups import get_agent_kind
from services.gateway.ports import ServiceStore
from services.gateway.requests import JobRequest
from shared.postgres.database import Tx


async def require_starting_version(
    tx: Tx, store: ServiceStore, identity: RequestIdentity, request: JobRequest
) -> None:
    """Require the version that a transfer names; nothing where the request names none.

    The coordinator looks once more, when the job begins, and at requests over Kafka.

    Raises:
        Invalid: another method names one, its agent is not named, or is of another kind.
        NotAllowed: the key is bound to other agents.
        NotFound: no such agent or version.
    """
    source, version = request.source_agent, request.source_version
    if source is None and version is None:
        return
    named = "source_agent" if source is not None else "source_version"
    if request.method is not TrainingMethod.TRANSFER:
        message = f"only method transfer has a start of its own, not {request.method.value}"
        raise Invalid([FieldError(named, "method", message)])
    if source is None:
        message = "name the agent whose version it is in source_agent"
        raise Invalid([FieldError(named, "source_agent", message)])
    require_agents(identity.caller, [source])
    tenant_id = identity.tenant_id
    kind = await get_agent_kind(store, tx, tenant_id, source)
    own = await get_agent_kind(store, tx, tenant_id, request.agent_id)
    if kind is not own:
        message = f"{source} is a {kind.value}, {request.agent_id} a {own.value}; name another one"
        raise Invalid([FieldError(named, "kind", message)])
    if version is None:
        return
    if not await store.models(tx, tenant_id, source, version=version):
        raise NotFound(f"model version of agent {source}", version)
