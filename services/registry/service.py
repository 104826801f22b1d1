"""Versions and deployments: what happens on each command."""

from __future__ import annotations

from typing import Final

from archon_contracts.commands import DeployModel, LimitAnswers, RegisterModel, RollBackModel
from archon_contracts.events import ModelDeployed, ModelRolledBack
from archon_contracts.identifiers import derived_id
from archon_contracts.rules.rollout_policy import RolloutPolicy
from services.registry.archiving import Archiving
from services.registry.audit_entries import deployed_entry, refused_entry, rolled_back_entry
from services.registry.domain import (
    Action,
    Deployment,
    ModelStatus,
    ModelVersion,
    RetentionPolicy,
    SemanticVersion,
    compute_next_version,
    find_rollback_version,
    is_outdated,
)
from services.registry.errors import (
    NothingToRollBackTo,
    SameWeights,
    TargetMoved,
    UnknownVersion,
    VersionArchived,
)
from services.registry.messages import refused_event, registered_event
from services.registry.ports import LoadChecks, ModelRepository
from services.registry.rollout.service import Rollouts
from shared.audit import AuditLog, describe_actor
from shared.logging import get_logger
from shared.messaging.messages import Cause, Message
from shared.messaging.outbox import Outbox
from shared.ports import Clock
from shared.postgres.database import Tx

log = get_logger(__name__)

RETENTION_REASON: Final = "retention of the installation"


class RegistryService:
    """The use cases; every one runs in the transaction of its message."""

    def __init__(
        self,
        models: ModelRepository,
        rollouts: Rollouts,
        outbox: Outbox,
        audit: AuditLog,
        clock: Clock,
        checks: LoadChecks,
        retention: RetentionPolicy | None = None,
    ) -> None:
        """Without a retention policy no version is archived by itself."""
        self._models = models
        self._rollouts = rollouts
        self._checks = checks
        self._archiving = Archiving(models, outbox, audit, clock)
        self._retention = retention
        self._outbox = outbox
        self._audit = audit
        self._clock = clock

    async def register_model(self, tx: Tx, message: Message[RegisterModel]) -> ModelVersion:
        """Give a job's model the agent's next version; the same job keeps the one it has."""
        command = message.body
        # Before the look-up: two copies of the command would both find no model and
        # make a version each.
        await self._models.lock_agent(tx, command.tenant_id, command.agent_id)
        model, highest = await self._models.find_before(
            tx, command.tenant_id, command.agent_id, command.job_id
        )
        if model is None:
            model = self._new_model(command, highest)
            await self._models.insert(tx, model, command)
            log.info("model_registered", agent_id=model.agent_id, version=str(model.version))
        # Also for a model that existed: a coordinator that repeats its command waits
        # for this answer.
        await self._outbox.append(tx, registered_event(model, command), cause=message.cause)
        if self._retention is not None:
            await self._archiving.apply(tx, message, self._retention, RETENTION_REASON)
        return model

    async def deploy_model(self, tx: Tx, message: Message[DeployModel]) -> ModelVersion:
        """Deploy a version. One that is deployed already is only published again.

        A job's version that was compared with another version than the one deployed now is refused:
        nobody has shown that it is better than that. So is one that has its weights. Where the
        agent's policy says so, a job's version begins an experiment instead.

        Raises:
            UnknownVersion: the agent has no such version.
            VersionArchived: it is kept for the record only.
            SameWeights: a person names a version whose digest is that of the deployed one.
            ModelUnusable, ArtifactMissing, ArtifactCorrupt, ArtifactUnsafe: see `LoadChecks`.
        """
        command = message.body
        model = await self._require_usable(tx, command)
        revision = await self._models.lock_agent(tx, command.tenant_id, command.agent_id)
        # Once more, since it may have been archived while its files were checked.
        named, current = await self._models.find_with_deployed(
            tx, command.tenant_id, command.agent_id, command.model_version
        )
        model = named or model
        _require_not_archived(model)
        if obstacle := _find_obstacle(command, model, current):
            if not command.job_id:
                raise SameWeights(f"Agent {command.agent_id}: {obstacle}; nothing would change.")
            refused = refused_event(command, model, current, obstacle)
            await self._outbox.append(tx, refused, cause=message.cause)
            await self._audit.append(tx, refused_entry(message, refused), cause=message.cause)
            return model
        is_deployed = current is not None and current.version == model.version
        if is_deployed:
            # No new revision: the event repeats the change that stands.
            change = (await self._list_deployments(tx, model))[-1]
            if command.job_id is None:
                await self._rollouts.end_by_hand(tx, message.cause, model, revision, command.reason)
        else:
            policy = await self._rollouts.find_policy(tx, model)
            if await self._rollouts.begin(tx, message, policy, model, current, revision):
                return model
            change = await self._replace(tx, message, policy, model, current, revision)
        deployed = ModelDeployed(
            tenant_id=model.tenant_id,
            agent_id=model.agent_id,
            model=model.ref,
            previous_version=change.previous_version,
            revision=change.revision,
            actor=change.actor,
            reason=command.reason,
            job_id=command.job_id or (None if is_deployed else change.job_id),
            deployed_at=change.at,
        )
        await self._outbox.append(tx, deployed, cause=message.cause)
        # Changes alone are recorded (decision 62); last, because its lock must be the last one.
        if not is_deployed:
            await self._audit.append(
                tx, deployed_entry(message, model, change), cause=message.cause
            )
        return model

    async def roll_back_model(self, tx: Tx, message: Message[RollBackModel]) -> ModelVersion:
        """Deploy the version before, or the named one, again, once its artifact was checked.

        Raises:
            NothingToRollBackTo: no version was deployed before, or none is now.
            UnknownVersion: the agent has no version of that name.
            VersionArchived, SameWeights: of the version that is named.
            ModelUnusable, ArtifactMissing, ArtifactCorrupt, ArtifactUnsafe: see `LoadChecks`.
            TargetMoved: another change came meanwhile; the command is tried again.
        """
        command = message.body
        # Before the lock, since hashing an old version's files takes a while.
        checked, _ = await self._rollback_target(tx, command)
        await self._checks.require_loadable(checked.artifact)
        revision = await self._models.lock_agent(tx, command.tenant_id, command.agent_id)
        model, current = await self._rollback_target(tx, command)
        if model.artifact != checked.artifact:
            raise TargetMoved(
                f"Agent {command.agent_id} was changed while {checked.version} was checked."
            )
        if command.from_version not in (None, str(current.version)):
            log.info(
                "rollback_came_too_late",
                agent_id=current.agent_id,
                from_version=command.from_version,
                version=str(current.version),
            )
            return current
        if model.version == current.version:
            log.info(
                "rollback_changes_nothing", agent_id=current.agent_id, version=str(current.version)
            )
            return current
        change = Deployment(
            revision=revision + 1,
            version=str(model.version),
            previous_version=str(current.version),
            action=Action.ROLLBACK,
            actor=_actor(message),
            reason=command.reason,
            job_id=None,
            at=self._clock.now(),
        )
        await self._rollouts.supersede(tx, message.cause, model, current, command.reason)
        await self._deploy(tx, message.cause, model, change)
        rolled_back = ModelRolledBack(
            tenant_id=model.tenant_id,
            agent_id=model.agent_id,
            model=model.ref,
            from_version=str(current.version),
            revision=change.revision,
            actor=change.actor,
            reason=command.reason,
            rolled_back_at=change.at,
        )
        await self._outbox.append(tx, rolled_back, cause=message.cause)
        await self._audit.append(tx, rolled_back_entry(message, model, change), cause=message.cause)
        return model

    async def limit_answers(self, tx: Tx, message: Message[LimitAnswers]) -> None:
        """Keep what the agent may answer, and publish it where a version is deployed.

        A label taken from the profile is in the deployed version, and in those that a rollback may
        return to: what they know is fixed, so the agent's configuration says what counts of it.
        """
        command = message.body
        revision = await self._models.lock_agent(tx, command.tenant_id, command.agent_id)
        known = await self._models.find_allowed_answers(tx, command.tenant_id, command.agent_id)
        if known == command.allowed_answers:
            return
        await self._models.set_allowed_answers(
            tx, command.tenant_id, command.agent_id, command.allowed_answers
        )
        current = await self._models.find_deployed(tx, command.tenant_id, command.agent_id)
        if current is None:
            return
        await self._models.set_revision(tx, command.tenant_id, command.agent_id, revision + 1)
        await self._rollouts.configurations.publish(
            tx, message.cause, current, revision + 1, command.reason, self._clock.now()
        )

    def _new_model(self, command: RegisterModel, highest: SemanticVersion | None) -> ModelVersion:
        return ModelVersion(
            # Derived from the job: whatever is sent twice names the same model.
            model_id=derived_id("model", command.tenant_id, command.job_id),
            tenant_id=command.tenant_id,
            agent_id=command.agent_id,
            version=compute_next_version(highest),
            kind=command.kind,
            artifact=command.artifact,
            status=ModelStatus.READY,
            job_id=command.job_id,
            dataset_id=command.dataset_id,
            parent_version=command.parent_version,
            metrics=command.metrics,
            created_at=self._clock.now(),
        )

    async def _find(self, tx: Tx, tenant_id: str, agent_id: str, version: str) -> ModelVersion:
        model = await self._models.find(tx, tenant_id, agent_id, version)
        if model is None:
            known = await self._models.list_versions(tx, tenant_id, agent_id)
            choice = f"it has {', '.join(known)}" if known else "it has none yet"
            raise UnknownVersion(f"Agent {agent_id} has no version {version[:40]!r}; {choice}.")
        return model

    async def _list_deployments(self, tx: Tx, model: ModelVersion) -> list[Deployment]:
        return await self._models.list_deployments(tx, model.tenant_id, model.agent_id)

    async def _require_usable(self, tx: Tx, command: DeployModel) -> ModelVersion:
        """Check the artifact: in full for a person; a job's was loaded by its evaluation.

        Before the lock, since hashing takes a while: what a version is never changes.
        """
        model = await self._find(tx, command.tenant_id, command.agent_id, command.model_version)
        if command.job_id:
            await self._checks.require_maker(model.artifact)
        else:
            await self._checks.require_loadable(model.artifact)
        return model

    async def _rollback_target(
        self, tx: Tx, command: RollBackModel
    ) -> tuple[ModelVersion, ModelVersion]:
        """The version to return to, and the one that is deployed."""
        tenant_id, agent_id = command.tenant_id, command.agent_id
        current = await self._models.find_deployed(tx, tenant_id, agent_id)
        if current is None:
            raise NothingToRollBackTo(
                f"Agent {agent_id} has no deployed version; deploy one instead."
            )
        target = command.to_version or await self._version_before(tx, current)
        model = await self._find(tx, tenant_id, agent_id, target)
        _require_not_archived(model)
        if model.version != current.version and model.artifact.digest == current.artifact.digest:
            raise SameWeights(
                f"Agent {agent_id}: {model.version} has the digest of the deployed "
                f"{current.version}; name another version in to_version."
            )
        return model, current

    async def _version_before(self, tx: Tx, current: ModelVersion) -> str:
        known = await self._models.list_models(tx, current.tenant_id, current.agent_id)
        archived = {str(m.version) for m in known if m.status is ModelStatus.ARCHIVED}
        history = await self._list_deployments(tx, current)
        if (target := find_rollback_version(history, archived)) is None:
            raise NothingToRollBackTo(
                f"No version of agent {current.agent_id} was deployed before {current.version}; "
                "name one in to_version."
            )
        return target

    async def _replace(
        self,
        tx: Tx,
        message: Message[DeployModel],
        policy: RolloutPolicy,
        model: ModelVersion,
        current: ModelVersion | None,
        revision: int,
    ) -> Deployment:
        """Deploy another version than the present one, and watch it."""
        command = message.body
        # The candidate of an experiment may be deployed by hand: its job is done then.
        experiment_job = await self._rollouts.supersede(
            tx, message.cause, model, current, command.reason
        )
        change = Deployment(
            revision=revision + 1,
            version=str(model.version),
            previous_version=str(current.version) if current else None,
            action=Action.DEPLOY,
            actor=_actor(message),
            reason=command.reason,
            job_id=command.job_id or experiment_job,
            at=self._clock.now(),
        )
        await self._deploy(tx, message.cause, model, change)
        await self._rollouts.watch(tx, policy, model, current, change.revision)
        return change

    async def _deploy(self, tx: Tx, cause: Cause, model: ModelVersion, change: Deployment) -> None:
        """Record the change and publish the agent's configuration; no experiment runs any more."""
        await self._models.set_deployed(tx, model, change)
        await self._rollouts.configurations.publish(
            tx, cause, model, change.revision, change.reason, change.at, is_alone=True
        )
        log.info(
            "deployed_version_changed",
            agent_id=model.agent_id,
            version=change.version,
            action=change.action,
            revision=change.revision,
        )


def _actor(message: Message[DeployModel] | Message[RollBackModel]) -> str:
    return describe_actor(message.body.requested_by, message.envelope.source)


def _require_not_archived(model: ModelVersion) -> None:
    if model.status is ModelStatus.ARCHIVED:
        raise VersionArchived(
            f"Version {model.version} of agent {model.agent_id} is archived and is deployed no "
            "more; name another one."
        )


def _find_obstacle(
    command: DeployModel, model: ModelVersion, current: ModelVersion | None
) -> str | None:
    """Why a version is not deployed; None: it may be."""
    # A command without a job is a person's, who may deploy without a comparison.
    if command.job_id and is_outdated(model, current, command.compared_with):
        present = f"version {current.version} is deployed" if current else "nothing is deployed"
        baseline = command.compared_with or "nothing"
        return f"{present}, and the candidate was compared with {baseline}"
    if current is None or current.version == model.version:
        return None
    if current.artifact.digest == model.artifact.digest:
        return f"{model.version} has the digest of the deployed {current.version}"
    return None
