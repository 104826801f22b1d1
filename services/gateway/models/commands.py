"""Use cases that archive and protect versions: each appends a command for the registry."""

from __future__ import annotations

from uuid import UUID

from archon_contracts.commands import ArchiveModel, ProtectModel, RegisterModel, RetainModels
from archon_contracts.identifiers import derived_id
from archon_contracts.values import AgentKind
from services.gateway.auth.agent_binding import require_agents
from services.gateway.auth.request_identity import RequestIdentity
from services.gateway.domain import ModelView
from services.gateway.errors import Conflict
from services.gateway.models.lookups import get_agent_kind, get_model
from services.gateway.models.rules import ARCHIVED, find_archive_obstacle
from services.gateway.ports import ServiceStore
from services.gateway.requests import ImportRequest, ProtectRequest, RetentionRequest
from shared.messaging.outbox import Outbox
from shared.postgres.database import Tx


class ModelCommands:
    """Takes `tx` and never commits. Each refuses a key that is bound to other agents."""

    def __init__(self, store: ServiceStore, outbox: Outbox) -> None:
        self._store = store
        self._outbox = outbox

    async def archive(
        self, tx: Tx, identity: RequestIdentity, agent_id: str, version: str, reason: str
    ) -> None:
        """Ask the registry to archive a version.

        Raises:
            NotFound: no such version.
            Conflict: it is deployed, or protected.
        """
        model = await self._require_model(tx, identity, agent_id, version)
        if obstacle := find_archive_obstacle(model):
            raise Conflict(obstacle)
        command = ArchiveModel(
            tenant_id=identity.tenant_id,
            agent_id=agent_id,
            model_version=version,
            reason=reason,
            requested_by=identity.actor,
        )
        await self._outbox.append(tx, command, cause=identity.cause())

    async def import_model(
        self, tx: Tx, identity: RequestIdentity, agent_id: str, request: ImportRequest
    ) -> UUID:
        """Ask the registry for a version of a model that no job made; returns the model's id.

        Raises:
            NotFound: no such agent.
        """
        kind = await self._require_kind(tx, identity, agent_id)
        # A version belongs to a job, and learnt a dataset: of an import the request is the job, and
        # no items are known.
        command = RegisterModel(
            tenant_id=identity.tenant_id,
            agent_id=agent_id,
            job_id=identity.id,
            kind=kind,
            artifact=request.artifact,
            dataset_id=derived_id("imported", identity.tenant_id, request.artifact.digest),
            dataset=request.artifact,
            lineage={
                "imported_from": request.source,
                "requested_by": identity.actor,
                "reason": request.reason,
            },
        )
        await self._outbox.append(tx, command, cause=identity.cause())
        return derived_id("model", identity.tenant_id, identity.id)

    async def protect(
        self,
        tx: Tx,
        identity: RequestIdentity,
        agent_id: str,
        version: str,
        request: ProtectRequest,
    ) -> None:
        """Ask the registry to protect a version from retention, or not to any more.

        Raises:
            NotFound: no such version.
            Conflict: it is archived already.
        """
        model = await self._require_model(tx, identity, agent_id, version)
        if model.status == ARCHIVED and request.protected:
            raise Conflict(f"version {version} is archived already")
        command = ProtectModel(
            tenant_id=identity.tenant_id,
            agent_id=agent_id,
            model_version=version,
            protected=request.protected,
            reason=request.reason,
            requested_by=identity.actor,
        )
        await self._outbox.append(tx, command, cause=identity.cause())

    async def retain(
        self, tx: Tx, identity: RequestIdentity, agent_id: str, request: RetentionRequest
    ) -> None:
        """Ask the registry to archive an agent's old versions.

        Raises:
            NotFound: no such agent.
        """
        await self._require_kind(tx, identity, agent_id)
        command = RetainModels(
            tenant_id=identity.tenant_id,
            agent_id=agent_id,
            keep_newest=request.keep_newest,
            deployed_within_days=request.deployed_within_days,
            reason=request.reason,
            requested_by=identity.actor,
        )
        await self._outbox.append(tx, command, cause=identity.cause())

    async def _require_kind(self, tx: Tx, identity: RequestIdentity, agent_id: str) -> AgentKind:
        require_agents(identity.caller, [agent_id])
        return await get_agent_kind(self._store, tx, identity.tenant_id, agent_id)

    async def _require_model(
        self, tx: Tx, identity: RequestIdentity, agent_id: str, version: str
    ) -> ModelView:
        require_agents(identity.caller, [agent_id])
        return await get_model(self._store, tx, identity.tenant_id, agent_id, version)
