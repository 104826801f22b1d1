"""Events about versions."""

from __future__ import annotations

from archon_contracts.commands import DeployModel, RegisterModel
from archon_contracts.events import DeploymentRefused, ModelRegistered
from services.registry.domain import ModelVersion


def refused_event(
    command: DeployModel, model: ModelVersion, current: ModelVersion | None, reason: str
) -> DeploymentRefused:
    """Why a job's version is not deployed."""
    return DeploymentRefused(
        tenant_id=model.tenant_id,
        agent_id=model.agent_id,
        job_id=model.job_id,
        model=model.ref,
        compared_with=command.compared_with,
        deployed_version=str(current.version) if current else None,
        reason=reason,
    )


def registered_event(model: ModelVersion, command: RegisterModel) -> ModelRegistered:
    """A version with its whole lineage."""
    return ModelRegistered(
        tenant_id=model.tenant_id,
        agent_id=model.agent_id,
        job_id=model.job_id,
        model_id=model.model_id,
        model=model.ref,
        parent_version=model.parent_version,
        dataset_id=model.dataset_id,
        metrics=dict(model.metrics),
        kind=model.kind,
        dataset=command.dataset,
        evaluation_id=command.evaluation_id,
        lineage=command.lineage,
        registered_at=model.created_at,
    )
