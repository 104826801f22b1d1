"""What the audit log holds of agents' policies and of what people asked of jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from archon_contracts.commands import CancelJob, ConfigureAgent, ReturnFeedback
from archon_contracts.events import AuditAction, AuditChange, TrainingRequested
from archon_contracts.values import AgentProfile
from services.coordinator.domain import Job
from shared.audit import AuditEntry, describe_actor
from shared.messaging.messages import Message


def build_configured_entry(
    message: Message[ConfigureAgent], before: AgentProfile | None
) -> AuditEntry | None:
    """An agent was taken on or its policy changed; None when the profile is the one it had."""
    command = message.body
    changes = compare_profiles(before, command.profile)
    if not changes:
        return None
    return AuditEntry(
        tenant_id=command.tenant_id,
        actor=describe_actor(command.requested_by, message.envelope.source),
        action=AuditAction.POLICY_CHANGED if before else AuditAction.AGENT_CONFIGURED,
        agent_id=command.agent_id,
        subject=command.agent_id,
        reason=command.reason,
        details={"source": message.envelope.source},
        changes=changes,
    )


def build_requested_entry(message: Message[TrainingRequested], job: Job) -> AuditEntry:
    """A person or program asked for a training."""
    details = {"source": message.envelope.source, "method": job.method.value}
    if message.body.dataset_name is not None:
        details["dataset"] = message.body.dataset_name
    return AuditEntry(
        tenant_id=job.key.tenant_id,
        actor=describe_actor(job.requested_by or "", message.envelope.source),
        action=AuditAction.TRAINING_REQUESTED,
        agent_id=job.key.agent_id,
        subject=str(job.job_id),
        details=details,
    )


def build_cancelled_entry(message: Message[CancelJob], job: Job) -> AuditEntry:
    """Somebody stopped a job; `job` is as it was before."""
    return AuditEntry(
        tenant_id=job.key.tenant_id,
        actor=describe_actor(message.body.requested_by, message.envelope.source),
        action=AuditAction.JOB_CANCELLED,
        agent_id=job.key.agent_id,
        subject=str(job.job_id),
        reason=message.body.reason,
        details={"source": message.envelope.source, "state": job.state.value},
    )


def build_returned_entry(message: Message[ReturnFeedback], job: Job, returned: int) -> AuditEntry:
    """Somebody gave the feedback of a job's window back."""
    return AuditEntry(
        tenant_id=job.key.tenant_id,
        actor=describe_actor(message.body.requested_by, message.envelope.source),
        action=AuditAction.FEEDBACK_RETURNED,
        agent_id=job.key.agent_id,
        subject=str(job.job_id),
        reason=message.body.reason,
        details={"source": message.envelope.source, "returned": str(returned)},
    )


def compare_profiles(before: AgentProfile | None, after: AgentProfile) -> tuple[AuditChange, ...]:
    """Every field that is not as it was, such as `gate.minimum_gain`, by name."""
    old = _fields(before) if before else {}
    new = _fields(after)
    return tuple(
        AuditChange(field=name, before=old.get(name, ""), after=new.get(name, ""))
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    )


def _fields(profile: AgentProfile) -> dict[str, str]:
    """Values as JSON text, so that a number has one form in the entry's hash."""
    stated = profile.model_dump(mode="json", exclude_none=True)
    return {name: json.dumps(value, ensure_ascii=False) for name, value in _leaves(stated)}


def _leaves(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
