"""Look-ups of one tenant's agents and versions that raise NotFound where there is none."""

from __future__ import annotations

from archon_contracts.values import AgentKind
from services.gateway.domain import ModelView
from services.gateway.errors import NotFound
from services.gateway.ports import ServiceStore
from shared.postgres.database import Tx


async def get_agent_kind(store: ServiceStore, tx: Tx, tenant_id: str, agent_id: str) -> AgentKind:
    """The kind of an agent.

    Raises:
        NotFound: no such agent.
    """
    kind = await store.agent_kind(tx, tenant_id, agent_id)
    if kind is None:
        raise NotFound("agent", agent_id)
    return kind


async def get_model(
    store: ServiceStore, tx: Tx, tenant_id: str, agent_id: str, version: str
) -> ModelView:
    """A version of an agent.

    Raises:
        NotFound: no such version.
    """
    found = await store.models(tx, tenant_id, agent_id, version=version)
    if not found:
        raise NotFound(f"model version of agent {agent_id}", version)
    return found[0]
