"""Experiments: begun by a job's candidate or a deployment, ended by feedback, time or a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from archon_contracts.base import Contract
from archon_contracts.commands import DeployModel, RollBackModel
from archon_contracts.events import (
    AgentConfigured,
    FeedbackCounted,
    ModelDeployed,
)
from archon_contracts.identifiers import derived_id
from archon_contracts.rules.rollout_policy import RolloutPolicy
from services.registry.domain import Action, Deployment, ModelStatus, ModelVersion
from services.registry.ports import ModelRepository
from services.registry.rollout.configuration import ConfigurationPublisher
from services.registry.rollout.counting import add_counts
from services.registry.rollout.experiments import (
    NO_ANSWERS,
    TESTED_MODES,
    ExperimentKind,
    ExperimentState,
    VersionComparison,
)
from services.registry.rollout.messages import (
    advanced_event,
    concluded_event,
    measured_event,
    promoted_entry,
    regression_event,
    started_event,
)
from services.registry.rollout.ports import ExperimentRecords
from services.registry.rollout.steps import (
    LONGEST_GUARD,
    Advance,
    End,
    Stay,
    choose_step,
    find_regression,
)
from shared.audit import AuditLog
from shared.logging import get_logger
from shared.messaging.messages import Cause, Message
from shared.messaging.outbox import Outbox
from shared.ports import Clock
from shared.postgres.database import Tx

log = get_logger(__name__)


class Rollouts:
    """The use cases; every one runs in its message's transaction, under the agent's lock."""

    def __init__(
        self,
        models: ModelRepository,
        experiments: ExperimentRecords,
        outbox: Outbox,
        audit: AuditLog,
        clock: Clock,
    ) -> None:
        self._models = models
        self._experiments = experiments
        self.configurations = ConfigurationPublisher(models, experiments, outbox)
        self._outbox = outbox
        self._audit = audit
        self._clock = clock

    async def record_policy(self, tx: Tx, message: Message[AgentConfigured]) -> None:
        """Keep how the agent's versions are rolled out; what runs goes on as it began."""
        body = message.body
        await self._models.lock_agent(tx, body.tenant_id, body.agent_id)
        await self._experiments.set_policy(tx, body.tenant_id, body.agent_id, body.profile.rollout)

    async def begin(
        self,
        tx: Tx,
        message: Message[DeployModel],
        policy: RolloutPolicy,
        model: ModelVersion,
        current: ModelVersion | None,
        revision: int,
    ) -> bool:
        """Begin the experiment of a job's candidate; False: it is to be deployed at once.

        The caller holds the agent's lock.
        """
        command = message.body
        kind = TESTED_MODES.get(policy.mode)
        if kind is None or current is None or command.job_id is None or command.at_once:
            return False
        experiment_id = derived_id("experiment", model.tenant_id, command.job_id)
        known = await self._experiments.find_experiment(tx, experiment_id)
        if known is not None:  # the coordinator asks again where it waits for long
            log.info("experiment_is_known", experiment_id=str(experiment_id), state=known.state)
            return True
        running = await self._experiments.find_running(tx, model.tenant_id, model.agent_id)
        if running is not None:
            reason = f"version {model.version} is to be compared with {current.version} now"
            await self._conclude(
                tx, message.cause, running, current, ExperimentState.CANCELLED, reason
            )
        now = self._clock.now()
        is_canary = kind is ExperimentKind.CANARY
        experiment = VersionComparison(
            experiment_id=experiment_id,
            tenant_id=model.tenant_id,
            agent_id=model.agent_id,
            kind=kind,
            control=current.ref,
            treatment=model.ref,
            policy=policy,
            share=policy.canary_shares[0] if is_canary else policy.treatment_share,
            started_at=now,
            deadline_at=now + timedelta(seconds=policy.maximum_seconds),
            job_id=command.job_id,
        )
        await self._experiments.put_experiment(tx, experiment)
        reason = f"{kind} of version {model.version}: {command.reason}"
        await self._publish(tx, message.cause, current, revision + 1, reason, now)
        await self._append(tx, started_event(experiment, reason), message.cause, experiment)
        log.info(
            "experiment_started",
            agent_id=model.agent_id,
            kind=kind,
            control=str(current.version),
            treatment=str(model.version),
        )
        return True

    async def supersede(
        self, tx: Tx, cause: Cause, model: ModelVersion, current: ModelVersion | None, reason: str
    ) -> UUID | None:
        """End what runs, before `model` is deployed otherwise; return the job of its candidate.

        None, unless `model` is that candidate. The configuration is published by the deployment.
        """
        running = await self._experiments.find_running(tx, model.tenant_id, model.agent_id)
        if running is None:
            return None
        is_candidate = running.divides_traffic and running.treatment.version == str(model.version)
        stays = current is not None and current.version == model.version
        if is_candidate:
            state = ExperimentState.PROMOTED
        else:
            state = ExperimentState.KEPT if stays else ExperimentState.CANCELLED
        await self._conclude(
            tx, cause, running, model, state, f"version {model.version} was deployed: {reason}"
        )
        return running.job_id if is_candidate else None

    async def end_by_hand(
        self, tx: Tx, cause: Cause, current: ModelVersion, revision: int, reason: str
    ) -> None:
        """Somebody deployed the deployed version again: its experiment, if one runs, ends."""
        running = await self._experiments.find_running(tx, current.tenant_id, current.agent_id)
        if running is None or not running.divides_traffic:
            return
        await self._conclude(
            tx, cause, running, current, ExperimentState.KEPT, f"ended by hand: {reason}"
        )
        await self._publish(tx, cause, current, revision + 1, reason, self._clock.now())

    async def find_policy(self, tx: Tx, model: ModelVersion) -> RolloutPolicy:
        """How the agent's versions are rolled out."""
        return await self._experiments.find_policy(tx, model.tenant_id, model.agent_id)

    async def watch(
        self,
        tx: Tx,
        policy: RolloutPolicy,
        model: ModelVersion,
        before: ModelVersion | None,
        revision: int,
    ) -> None:
        """Compare a version that was deployed with the one before, from now on."""
        if before is None or not policy.automatic_rollback:
            return
        known = await self._experiments.find_counts(
            tx, model.tenant_id, model.agent_id, [str(before.version)]
        )
        now = self._clock.now()
        experiment = VersionComparison(
            experiment_id=derived_id("watch", model.tenant_id, model.agent_id, revision),
            tenant_id=model.tenant_id,
            agent_id=model.agent_id,
            kind=ExperimentKind.WATCH,
            control=before.ref,
            treatment=model.ref,
            policy=policy,
            share=1.0,
            started_at=now,
            deadline_at=now + timedelta(seconds=policy.maximum_seconds),
            control_counts=known[str(before.version)].counts,
        )
        await self._experiments.put_experiment(tx, experiment)

    async def record_counts(self, tx: Tx, message: Message[FeedbackCounted]) -> None:
        """Add counted answers to their versions, and take the step that follows from them."""
        body = message.body
        revision = await self._models.lock_agent(tx, body.tenant_id, body.agent_id)
        added = await add_counts(
            self._experiments, tx, (body.tenant_id, body.agent_id), body.counts
        )
        running = await self._experiments.find_running(tx, body.tenant_id, body.agent_id)
        if running is None or not added:
            return
        control = added.get(running.control.version, NO_ANSWERS)
        treatment = added.get(running.treatment.version, NO_ANSWERS)
        if control.is_empty and treatment.is_empty:
            return
        await self._take_step(tx, message.cause, running.add(control, treatment), revision)

    async def expire(self, tx: Tx, tenant_id: str, agent_id: str) -> None:
        """Take the step of an experiment whose time is over."""
        revision = await self._models.lock_agent(tx, tenant_id, agent_id)
        running = await self._experiments.find_running(tx, tenant_id, agent_id)
        if running is not None:
            cause_id = derived_id("experiment over", running.experiment_id)
            cause = Cause(cause_id, str(running.experiment_id))
            await self._take_step(tx, cause, running, revision)

    async def _take_step(
        self, tx: Tx, cause: Cause, experiment: VersionComparison, revision: int
    ) -> None:
        tenant_id, agent_id, now = experiment.tenant_id, experiment.agent_id, self._clock.now()
        current = await self._models.find_deployed(tx, tenant_id, agent_id)
        candidate = await self._models.find(tx, tenant_id, agent_id, experiment.treatment.version)
        if current is None or candidate is None:
            return  # both are rows that an experiment refers to
        step = choose_step(experiment, now, may_roll_back=await self._may_roll_back(tx, experiment))
        if candidate.status is ModelStatus.ARCHIVED:
            step = End(ExperimentState.KEPT, f"version {candidate.version} was archived")
        if isinstance(step, End):
            await self._end(tx, cause, experiment, step, current, candidate, revision)
            return
        experiment = await self._measure(tx, cause, experiment, always=isinstance(step, Advance))
        match step:
            case Stay():
                await self._experiments.put_experiment(tx, experiment)
            case Advance(reason):
                advanced = experiment.advance()
                await self._experiments.put_experiment(tx, advanced)
                await self._publish(tx, cause, current, revision + 1, reason, now)
                await self._append(tx, advanced_event(advanced, reason), cause, advanced)

    async def _measure(
        self, tx: Tx, cause: Cause, experiment: VersionComparison, *, always: bool
    ) -> VersionComparison:
        """Publish what the experiment shows, where that is due; the caller keeps the result."""
        due = experiment.divides_traffic if always else experiment.is_measure_due
        if not due:
            return experiment
        event = measured_event(experiment, self._clock.now())
        await self._append(tx, event, cause, experiment)
        return replace(experiment, measured=experiment.seen)

    async def _end(
        self,
        tx: Tx,
        cause: Cause,
        experiment: VersionComparison,
        end: End,
        current: ModelVersion,
        candidate: ModelVersion,
        revision: int,
    ) -> None:
        if end.regressed:
            await self._announce_regression(tx, cause, experiment, end)
        deployed = candidate if end.state is ExperimentState.PROMOTED else current
        await self._conclude(tx, cause, experiment, deployed, end.state, end.reason)
        if end.state is ExperimentState.PROMOTED:
            await self._promote(tx, cause, experiment, end.reason, current, candidate, revision)
        elif end.state is ExperimentState.ROLLED_BACK:
            # The one verb of rollbacks, which checks first that the version before still loads.
            command = RollBackModel(
                tenant_id=experiment.tenant_id,
                agent_id=experiment.agent_id,
                to_version=experiment.control.version,
                from_version=experiment.treatment.version,
                reason=end.reason,
                requested_by="system (automatic rollback)",
            )
            await self._append(tx, command, cause, experiment)
        elif experiment.divides_traffic:
            await self._publish(tx, cause, current, revision + 1, end.reason, self._clock.now())

    async def _announce_regression(
        self, tx: Tx, cause: Cause, experiment: VersionComparison, end: End
    ) -> None:
        policy = experiment.policy
        is_watch = experiment.kind is ExperimentKind.WATCH
        last = policy.rollback_answers if is_watch else LONGEST_GUARD
        now = self._clock.now()
        found = find_regression(experiment, now, alpha=policy.rollback_alpha, last=last)
        # An E-process may show harm before the other test does; the experiment's end then says so.
        if found is not None:
            await self._append(
                tx, regression_event(experiment, found, end.reason), cause, experiment
            )

    async def _promote(
        self,
        tx: Tx,
        cause: Cause,
        experiment: VersionComparison,
        reason: str,
        current: ModelVersion,
        candidate: ModelVersion,
        revision: int,
    ) -> None:
        change = Deployment(
            revision=revision + 1,
            version=str(candidate.version),
            previous_version=str(current.version),
            action=Action.DEPLOY,
            actor=f"system (experiment {experiment.experiment_id})",
            reason=reason,
            job_id=experiment.job_id,
            at=self._clock.now(),
        )
        await self._models.set_deployed(tx, candidate, change)
        await self.configurations.publish(tx, cause, candidate, change.revision, reason, change.at)
        policy = await self.find_policy(tx, candidate)
        await self.watch(tx, policy, candidate, current, change.revision)
        deployed = ModelDeployed(
            tenant_id=candidate.tenant_id,
            agent_id=candidate.agent_id,
            model=candidate.ref,
            previous_version=change.previous_version,
            revision=change.revision,
            actor=change.actor,
            reason=reason,
            job_id=experiment.job_id,
            deployed_at=change.at,
        )
        await self._append(tx, deployed, cause, experiment)
        # Last, because the lock of the audit log must be the last one.
        await self._audit.append(tx, promoted_entry(experiment, change), cause=cause)

    async def _conclude(
        self,
        tx: Tx,
        cause: Cause,
        experiment: VersionComparison,
        deployed: ModelVersion,
        state: ExperimentState,
        reason: str,
    ) -> None:
        """Keep the end and publish it; the beginning of a watch was not published either."""
        ended = experiment.end(state, reason, self._clock.now())
        await self._experiments.put_experiment(tx, ended)
        if ended.divides_traffic:
            await self._measure(tx, cause, ended, always=True)
            await self._append(tx, concluded_event(ended, str(deployed.version)), cause, ended)
        log.info(
            "experiment_ended",
            agent_id=ended.agent_id,
            kind=ended.kind,
            state=state,
            treatment=ended.treatment.version,
            reason=reason,
        )

    async def _may_roll_back(self, tx: Tx, experiment: VersionComparison) -> bool:
        """Whether the last automatic rollback is long enough ago."""
        if experiment.kind is not ExperimentKind.WATCH:
            return True
        last = await self._experiments.find_last_rollback(
            tx, experiment.tenant_id, experiment.agent_id
        )
        cooldown = timedelta(seconds=experiment.policy.cooldown_seconds)
        # One of the far future was dated by a clock that has been put right since.
        return last is None or abs(self._clock.now() - last) >= cooldown

    async def _publish(
        self,
        tx: Tx,
        cause: Cause,
        current: ModelVersion,
        revision: int,
        reason: str,
        at: datetime,
    ) -> None:
        """Publish another configuration of the version that stays deployed."""
        await self._models.set_revision(tx, current.tenant_id, current.agent_id, revision)
        await self.configurations.publish(tx, cause, current, revision, reason, at)

    async def _append(
        self, tx: Tx, body: Contract, cause: Cause, experiment: VersionComparison
    ) -> None:
        # One message may end an experiment and begin another.
        await self._outbox.append(tx, body, cause=cause, part=str(experiment.experiment_id))
