"""The registry's tables, typed: one method per query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from archon_contracts.commands import RegisterModel
from archon_contracts.values import AgentKind, AllowedAnswers, ArtifactRef, Estimate
from services.registry.domain import (
    Action,
    Deployment,
    ModelStatus,
    ModelVersion,
    SemanticVersion,
)
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries


class ModelStore:
    """Versions and deployments of agents."""

    def __init__(self) -> None:
        self._queries = load_queries("services.registry")

    async def lock_agent(self, tx: Tx, tenant_id: str, agent_id: str) -> int:
        """Lock the agent until the transaction ends; returns its configuration's revision."""
        revision: int = await self._queries.lock_agent(tx, tenant_id=tenant_id, agent_id=agent_id)
        return revision

    async def find_before(
        self, tx: Tx, tenant_id: str, agent_id: str, job_id: UUID
    ) -> tuple[ModelVersion | None, SemanticVersion | None]:
        """The model that the job gave, and the agent's newest version by number."""
        of_job, highest = None, None
        rows = self._queries.find_models_before(
            tx, tenant_id=tenant_id, agent_id=agent_id, job_id=job_id
        )
        async for row in rows:
            if row["is_of_job"]:
                of_job = _model(row)
            else:
                highest = SemanticVersion(row["major"], row["minor"], row["patch"])
        return of_job, highest

    async def find(
        self, tx: Tx, tenant_id: str, agent_id: str, version: str
    ) -> ModelVersion | None:
        """The agent's model of this version."""
        row = await self._queries.find_model(
            tx, tenant_id=tenant_id, agent_id=agent_id, version=version
        )
        return _model(row) if row else None

    async def find_with_deployed(
        self, tx: Tx, tenant_id: str, agent_id: str, version: str
    ) -> tuple[ModelVersion | None, ModelVersion | None]:
        """The agent's model of this version, and its deployed one."""
        rows = self._queries.find_model_and_deployed(
            tx, tenant_id=tenant_id, agent_id=agent_id, version=version
        )
        found = [_model(row) async for row in rows]
        named = next((model for model in found if str(model.version) == version), None)
        deployed = (model for model in found if model.status is ModelStatus.DEPLOYED)
        return named, next(deployed, None)

    async def find_deployed(self, tx: Tx, tenant_id: str, agent_id: str) -> ModelVersion | None:
        """The agent's deployed model."""
        row = await self._queries.find_deployed_model(tx, tenant_id=tenant_id, agent_id=agent_id)
        return _model(row) if row else None

    async def list_versions(self, tx: Tx, tenant_id: str, agent_id: str) -> list[str]:
        """The ten newest versions, newest first."""
        rows = self._queries.list_versions(tx, tenant_id=tenant_id, agent_id=agent_id)
        return [row["version"] async for row in rows]

    async def insert(self, tx: Tx, model: ModelVersion, command: RegisterModel) -> None:
        """Keep a new model with its lineage."""
        metrics = {name: value.model_dump() for name, value in model.metrics.items()}
        await self._queries.insert_model(
            tx,
            model_id=model.model_id,
            tenant_id=model.tenant_id,
            agent_id=model.agent_id,
            major=model.version.major,
            minor=model.version.minor,
            patch=model.version.patch,
            kind=model.kind,
            artifact_uri=model.artifact.uri,
            artifact_digest=model.artifact.digest,
            status=model.status,
            job_id=model.job_id,
            dataset_id=model.dataset_id,
            dataset=command.dataset.model_dump(),
            parent_version=model.parent_version,
            evaluation_id=command.evaluation_id,
            metrics=metrics,
            lineage=command.lineage,
            created_at=model.created_at,
        )

    async def set_deployed(self, tx: Tx, model: ModelVersion, change: Deployment) -> None:
        """Make the model the only deployed one of its agent and add the change to the history."""
        agent = {"tenant_id": model.tenant_id, "agent_id": model.agent_id}
        # Before the new one: a partial unique index allows one deployed version of an agent.
        await self._queries.retire_deployed_model(tx, **agent, revision=change.revision)
        await self._queries.set_deployed_model(
            tx,
            **agent,
            revision=change.revision,
            version=change.version,
            previous_version=change.previous_version,
            action=change.action,
            actor=change.actor,
            reason=change.reason,
            job_id=change.job_id,
            at=change.at,
        )

    async def list_models(self, tx: Tx, tenant_id: str, agent_id: str) -> list[ModelVersion]:
        """All versions of an agent, oldest first."""
        rows = self._queries.list_models(tx, tenant_id=tenant_id, agent_id=agent_id)
        return [_model(row) async for row in rows]

    async def set_archived(self, tx: Tx, model: ModelVersion) -> None:
        """Keep a version for the record only."""
        await self._queries.set_archived(tx, model_id=model.model_id)

    async def set_protection(self, tx: Tx, model: ModelVersion, reason: str | None) -> None:
        """Protect a version from retention, for a reason; None: no longer."""
        await self._queries.set_protection(tx, model_id=model.model_id, reason=reason)

    async def find_allowed_answers(
        self, tx: Tx, tenant_id: str, agent_id: str
    ) -> AllowedAnswers | None:
        """What the agent may answer; None: whatever its version knows."""
        found = await self._queries.find_allowed_answers(tx, tenant_id=tenant_id, agent_id=agent_id)
        return AllowedAnswers.model_validate(found) if found is not None else None

    async def set_allowed_answers(
        self, tx: Tx, tenant_id: str, agent_id: str, allowed: AllowedAnswers
    ) -> None:
        """Keep what the agent may answer."""
        await self._queries.set_allowed_answers(
            tx,
            tenant_id=tenant_id,
            agent_id=agent_id,
            allowed_answers=allowed.model_dump(mode="json"),
        )

    async def set_revision(self, tx: Tx, tenant_id: str, agent_id: str, revision: int) -> None:
        """Keep the revision of a configuration that deploys nothing else."""
        await self._queries.set_revision(
            tx, tenant_id=tenant_id, agent_id=agent_id, revision=revision
        )

    async def list_deployments(self, tx: Tx, tenant_id: str, agent_id: str) -> list[Deployment]:
        """Every change of the deployed version, oldest first."""
        rows = self._queries.list_deployments(tx, tenant_id=tenant_id, agent_id=agent_id)
        return [_deployment(row) async for row in rows]


def _model(row: Mapping[str, Any]) -> ModelVersion:
    metrics = {name: Estimate(**value) for name, value in row["metrics"].items()}
    return ModelVersion(
        model_id=row["model_id"],
        tenant_id=row["tenant_id"],
        agent_id=row["agent_id"],
        version=SemanticVersion(row["major"], row["minor"], row["patch"]),
        kind=AgentKind(row["kind"]),
        artifact=ArtifactRef(uri=row["artifact_uri"], digest=row["artifact_digest"]),
        status=ModelStatus(row["status"]),
        job_id=row["job_id"],
        dataset_id=row["dataset_id"],
        parent_version=row["parent_version"],
        metrics=metrics,
        created_at=row["created_at"],
        protected_reason=row["protected_reason"],
    )


def _deployment(row: Mapping[str, Any]) -> Deployment:
    return Deployment(
        revision=row["revision"],
        version=row["version"],
        previous_version=row["previous_version"],
        action=Action(row["action"]),
        actor=row["actor"],
        reason=row["reason"],
        job_id=row["job_id"],
        at=row["at"],
    )
