"""Versions that are deployed no more, and what keeps them from being archived."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, TypeVar

from archon_contracts.base import Contract
from archon_contracts.commands import ArchiveModel, ProtectModel, RegisterModel, RetainModels
from archon_contracts.events import AuditAction, ModelArchived, ModelProtected
from services.registry.audit_entries import version_entry
from services.registry.domain import ModelStatus, ModelVersion, RetentionPolicy, select_expired
from services.registry.errors import UnknownVersion, VersionArchived, VersionInUse
from services.registry.ports import ModelRepository
from shared.audit import AuditLog, describe_actor
from shared.logging import get_logger
from shared.messaging.messages import Message
from shared.messaging.outbox import Outbox
from shared.ports import Clock
from shared.postgres.database import Tx

log = get_logger(__name__)
Command = TypeVar("Command", bound=Contract)
SYSTEM: Final = "system (retention)"


class Archiving:
    """The use cases; every one runs in the transaction of its message.

    An artifact's files stay where they are: other versions, datasets and reports may name them.
    """

    def __init__(
        self, models: ModelRepository, outbox: Outbox, audit: AuditLog, clock: Clock
    ) -> None:
        self._models = models
        self._outbox = outbox
        self._audit = audit
        self._clock = clock

    async def archive_model(self, tx: Tx, message: Message[ArchiveModel]) -> ModelVersion:
        """Archive a version; one that is archived is only published again.

        Raises:
            UnknownVersion: the agent has no such version.
            VersionInUse: it is deployed, or protected.
        """
        command = message.body
        model = await self._lock(tx, command.tenant_id, command.agent_id, command.model_version)
        if model.status is ModelStatus.DEPLOYED:
            raise VersionInUse(
                f"Version {model.version} of agent {model.agent_id} is deployed; deploy another "
                "one before it is archived."
            )
        if model.protected_reason is not None:
            raise VersionInUse(
                f"Version {model.version} of agent {model.agent_id} is protected "
                f"({model.protected_reason}); take the protection away first."
            )
        await self._archive(tx, message, [model], command.reason, command.requested_by)
        return model

    async def protect_model(self, tx: Tx, message: Message[ProtectModel]) -> ModelVersion:
        """Protect a version from being archived, or take the protection away.

        Raises:
            UnknownVersion: the agent has no such version.
            VersionArchived: it is archived already.
        """
        command = message.body
        model = await self._lock(tx, command.tenant_id, command.agent_id, command.model_version)
        if model.status is ModelStatus.ARCHIVED and command.protected:
            raise VersionArchived(
                f"Version {model.version} of agent {model.agent_id} is archived already."
            )
        reason = command.reason if command.protected else None
        await self._models.set_protection(tx, model, reason)
        actor = describe_actor(command.requested_by, message.envelope.source)
        event = ModelProtected(
            tenant_id=model.tenant_id,
            agent_id=model.agent_id,
            model_version=str(model.version),
            protected=command.protected,
            reason=command.reason,
            actor=actor,
        )
        await self._outbox.append(tx, event, cause=message.cause)
        if (model.protected_reason is None) == command.protected:
            action = (
                AuditAction.MODEL_PROTECTED if command.protected else AuditAction.MODEL_UNPROTECTED
            )
            entry = version_entry(action, model, actor, command.reason)
            await self._audit.append(tx, entry, cause=message.cause)
        return model

    async def retain_models(self, tx: Tx, message: Message[RetainModels]) -> list[ModelVersion]:
        """Archive what `select_expired` finds; returns it."""
        command = message.body
        await self._models.lock_agent(tx, command.tenant_id, command.agent_id)
        policy = RetentionPolicy(
            keep_newest=command.keep_newest,
            deployed_within=timedelta(days=command.deployed_within_days),
        )
        return await self.apply(tx, message, policy, command.reason)

    async def apply(
        self,
        tx: Tx,
        message: Message[RetainModels] | Message[RegisterModel],
        policy: RetentionPolicy,
        reason: str,
    ) -> list[ModelVersion]:
        """Archive the expired versions of an agent that is locked; returns them."""
        command = message.body
        models = await self._models.list_models(tx, command.tenant_id, command.agent_id)
        history = await self._models.list_deployments(tx, command.tenant_id, command.agent_id)
        expired = select_expired(models, history, policy, self._clock.now())
        requested_by = command.requested_by if isinstance(command, RetainModels) else SYSTEM
        await self._archive(tx, message, expired, reason, requested_by)
        return expired

    async def _lock(self, tx: Tx, tenant_id: str, agent_id: str, version: str) -> ModelVersion:
        await self._models.lock_agent(tx, tenant_id, agent_id)
        model = await self._models.find(tx, tenant_id, agent_id, version)
        if model is None:
            raise UnknownVersion(f"Agent {agent_id} has no version {version[:40]!r}.")
        return model

    async def _archive(
        self,
        tx: Tx,
        message: Message[Command],
        models: Sequence[ModelVersion],
        reason: str,
        requested_by: str,
    ) -> None:
        actor = describe_actor(requested_by, message.envelope.source)
        for model in models:
            await self._models.set_archived(tx, model)
            event = ModelArchived(
                tenant_id=model.tenant_id,
                agent_id=model.agent_id,
                version_archived=str(model.version),
                reason=reason,
                actor=actor,
                archived_at=self._clock.now(),
            )
            # Several versions may be archived by one command.
            part = str(model.version)
            await self._outbox.append(tx, event, cause=message.cause, part=part)
        # Changes alone are recorded; after all else, because the log's lock must be the last one.
        for model in models:
            if model.status is not ModelStatus.ARCHIVED:
                log.info("version_archived", agent_id=model.agent_id, version=str(model.version))
                entry = version_entry(AuditAction.MODEL_ARCHIVED, model, actor, reason)
                part = str(model.version)
                await self._audit.append(tx, entry, cause=message.cause, part=part)
