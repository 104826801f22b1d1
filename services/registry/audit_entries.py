"""Entries of the audit log about versions and deployments."""

from __future__ import annotations

from archon_contracts.commands import DeployModel, RollBackModel
from archon_contracts.events import AuditAction, DeploymentRefused
from services.registry.domain import Deployment, ModelVersion
from shared.audit import AuditEntry, describe_actor
from shared.messaging.messages import Message


def deployed_entry(
    message: Message[DeployModel], model: ModelVersion, change: Deployment
) -> AuditEntry:
    """The audit log's entry of a deployment, by a person's command or a job's."""
    return _of_change(message, AuditAction.DEPLOYED, model, change)


def rolled_back_entry(
    message: Message[RollBackModel], model: ModelVersion, change: Deployment
) -> AuditEntry:
    """The audit log's entry of a rollback to an earlier version."""
    return _of_change(message, AuditAction.ROLLED_BACK, model, change)


def refused_entry(message: Message[DeployModel], refused: DeploymentRefused) -> AuditEntry:
    """The audit log's entry of a job's version that was not deployed."""
    command = message.body
    return AuditEntry(
        tenant_id=refused.tenant_id,
        actor=describe_actor(command.requested_by, message.envelope.source),
        action=AuditAction.DEPLOYMENT_REFUSED,
        agent_id=refused.agent_id,
        subject=refused.model.version,
        reason=refused.reason,
        details=_details(
            source=message.envelope.source,
            digest=refused.model.artifact.digest,
            deployed_version=refused.deployed_version,
            job_id=command.job_id,
        ),
    )


def version_entry(action: AuditAction, model: ModelVersion, actor: str, reason: str) -> AuditEntry:
    """The audit log's entry of a version that was archived, protected or unprotected."""
    return AuditEntry(
        tenant_id=model.tenant_id,
        actor=actor,
        action=action,
        agent_id=model.agent_id,
        subject=str(model.version),
        reason=reason,
        details=_details(digest=model.artifact.digest),
    )


def _of_change(
    message: Message[DeployModel] | Message[RollBackModel],
    action: AuditAction,
    model: ModelVersion,
    change: Deployment,
) -> AuditEntry:
    return AuditEntry(
        tenant_id=model.tenant_id,
        actor=change.actor,
        action=action,
        agent_id=model.agent_id,
        subject=change.version,
        reason=change.reason,
        details=_details(
            source=message.envelope.source,
            digest=model.artifact.digest,
            previous_version=change.previous_version,
            revision=change.revision,
            job_id=change.job_id,
        ),
    )


def _details(**facts: object) -> dict[str, str]:
    """Facts as texts; those that are not known are left out."""
    return {name: str(fact) for name, fact in facts.items() if fact is not None}
