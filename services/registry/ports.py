"""What the service needs of a store: kept in PostgreSQL, and in memory for the service's tests."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from archon_contracts.commands import RegisterModel
from archon_contracts.values import AllowedAnswers, ArtifactRef
from services.registry.domain import Deployment, ModelVersion, SemanticVersion
from shared.postgres.database import Tx


class ModelRepository(Protocol):
    """Versions of an agent and which of them is deployed; `lock_agent` comes first."""

    async def lock_agent(self, tx: Tx, tenant_id: str, agent_id: str) -> int: ...

    async def find_before(
        self, tx: Tx, tenant_id: str, agent_id: str, job_id: UUID
    ) -> tuple[ModelVersion | None, SemanticVersion | None]: ...

    async def find(
        self, tx: Tx, tenant_id: str, agent_id: str, version: str
    ) -> ModelVersion | None: ...

    async def find_deployed(self, tx: Tx, tenant_id: str, agent_id: str) -> ModelVersion | None: ...

    async def find_with_deployed(
        self, tx: Tx, tenant_id: str, agent_id: str, version: str
    ) -> tuple[ModelVersion | None, ModelVersion | None]: ...

    async def list_versions(self, tx: Tx, tenant_id: str, agent_id: str) -> list[str]: ...

    async def list_models(self, tx: Tx, tenant_id: str, agent_id: str) -> list[ModelVersion]: ...

    async def set_archived(self, tx: Tx, model: ModelVersion) -> None: ...

    async def set_protection(self, tx: Tx, model: ModelVersion, reason: str | None) -> None: ...

    async def insert(self, tx: Tx, model: ModelVersion, command: RegisterModel) -> None: ...

    async def set_deployed(self, tx: Tx, model: ModelVersion, change: Deployment) -> None: ...

    async def list_deployments(self, tx: Tx, tenant_id: str, agent_id: str) -> list[Deployment]: ...

    async def find_allowed_answers(
        self, tx: Tx, tenant_id: str, agent_id: str
    ) -> AllowedAnswers | None: ...

    async def set_allowed_answers(
        self, tx: Tx, tenant_id: str, agent_id: str, allowed: AllowedAnswers
    ) -> None: ...

    async def set_revision(self, tx: Tx, tenant_id: str, agent_id: str, revision: int) -> None: ...


class LoadChecks(Protocol):
    """Whether a version's artifact can be loaded; both raise where it cannot."""

    async def require_maker(self, artifact: ArtifactRef) -> None: ...

    async def require_loadable(self, artifact: ArtifactRef) -> None: ...
