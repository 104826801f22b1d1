"""Use cases of agents: configured, changed, rolled back."""

from __future__ import annotations

from archon_contracts.base_model_uris import read_base_model_uri
from archon_contracts.commands import ConfigureAgent, LimitAnswers
from archon_contracts.events import AgentConfigured, ModelRolledBack
from archon_contracts.rules.bounds import MAX_PROFILE_BYTES
from archon_contracts.values import AgentProfile, AllowedAnswers
from services.coordinator.domain import AgentKey, ConfiguredAgent
from services.coordinator.errors import (
    FixedByDeployment,
    InvalidBaseModel,
    NotVouchedFor,
    OversizedProfile,
    ProfileMismatch,
)
from services.coordinator.jobs.audit_entries import build_configured_entry
from services.coordinator.jobs.ports import AuditLog, Outbox
from services.coordinator.ports import AgentRecords
from services.coordinator.retraining.agent_queue import AgentQueue
from services.coordinator.retraining.window_ends import WindowEnds
from shared.messaging.gateway_mac import GatewayMac
from shared.messaging.messages import Message
from shared.ports import Clock
from shared.postgres.database import Tx


class AgentService:
    """The use cases; every one runs in the transaction of its message."""

    def __init__(
        self,
        agents: AgentRecords,
        agent_queue: AgentQueue,
        window_ends: WindowEnds,
        outbox: Outbox,
        audit: AuditLog,
        clock: Clock,
        mac: GatewayMac | None = None,
    ) -> None:
        self._agents = agents
        self._window_ends = window_ends
        self._agent_queue = agent_queue
        self._outbox = outbox
        self._audit = audit
        self._clock = clock
        self._mac = mac

    async def configure_agent(self, tx: Tx, message: Message[ConfigureAgent]) -> None:
        """Store the agent or its new profile; jobs and corrections that waited for it go on.

        Raises:
            ProfileMismatch: the profile names another agent than the command.
            OversizedProfile: it has more bytes than the records that repeat it may have.
            InvalidBaseModel: its base model is no such URI.
            NotVouchedFor: its base model is a folder, and the gateway did not check the key.
            FixedByDeployment: a version of another kind or base model is deployed.
        """
        body = message.body
        if (size := len(body.to_bytes())) > MAX_PROFILE_BYTES:
            raise OversizedProfile(
                f"the profile has {size} bytes, {MAX_PROFILE_BYTES} are allowed; send fewer or "
                "shorter labels"
            )
        self._check_base_model(body)
        if body.profile.agent_id != body.agent_id:
            raise ProfileMismatch(
                f"profile.agent_id is {body.profile.agent_id}, agent_id is {body.agent_id}; "
                "give both the same name"
            )
        key = AgentKey(body.tenant_id, body.agent_id)
        # Locked, so that the audit entry compares with the very profile that is replaced.
        known = await self._agents.lock_agent(tx, key)
        if known is not None:
            _check_change(known, body.profile)
        before = known.profile if known else None
        await self._agents.put_agent(tx, body, self._clock.now())
        configured = AgentConfigured(
            tenant_id=body.tenant_id, agent_id=body.agent_id, profile=body.profile
        )
        await self._outbox.append(tx, configured, cause=message.cause)
        if before is not None and _allowed_answers(before) != _allowed_answers(body.profile):
            limit = LimitAnswers(
                tenant_id=body.tenant_id,
                agent_id=body.agent_id,
                allowed_answers=_allowed_answers(body.profile),
                reason=body.reason or "the agent's answers changed",
                requested_by=body.requested_by,
            )
            await self._outbox.append(tx, limit, cause=message.cause)
        await self._window_ends.release_waiting(tx, key, body.profile)
        await self._agent_queue.start_next(tx, key, message.cause)
        entry = build_configured_entry(message, before)
        if entry is not None:
            await self._audit.append(tx, entry, cause=message.cause)

    def _check_base_model(self, body: ConfigureAgent) -> None:
        """What the gateway checks of a base model, for commands that did not come through it."""
        uri = body.profile.base_model
        try:
            source = read_base_model_uri(uri)
        except ValueError as error:
            raise InvalidBaseModel(f"profile.base_model: {error}") from error
        signed = (body.tenant_id.encode(), body.agent_id.encode(), uri.encode())
        if (
            source.kind != "pypi"
            and self._mac is not None
            and not self._mac.verify(body.gateway_mac.encode(), *signed)
        ):
            raise NotVouchedFor(
                f"profile.base_model: the folder or address {uri!r} needs a key with the "
                "scope operate, and this command did not come through the gateway; configure the "
                "agent over HTTP"
            )

    async def record_rollback(self, tx: Tx, message: Message[ModelRolledBack]) -> None:
        """Record which version is deployed."""
        body = message.body
        key = AgentKey(body.tenant_id, body.agent_id)
        await self._agents.set_deployed(tx, key, body.model, body.rolled_back_at)
        # The earlier version may hold feedback that was retracted since.
        await self._agent_queue.record_rollback(tx, key, body.model.version)
        await self._agent_queue.start_next(tx, key, message.cause)


def _check_change(known: ConfiguredAgent, after: AgentProfile) -> None:
    """What the gateway checks against its read model, which may be older than this."""
    before = known.profile
    if known.deployed is None:
        return
    if (before.kind, before.base_model) != (after.kind, after.base_model):
        raise FixedByDeployment(
            f"version {known.deployed.version} of agent {known.key.agent_id} is deployed, a "
            f"{before.kind} of {before.base_model}: no training of a {after.kind} of "
            f"{after.base_model} can continue from it; keep kind and base_model, or configure "
            "another agent"
        )


def _allowed_answers(profile: AgentProfile) -> AllowedAnswers:
    return AllowedAnswers(labels=profile.labels, catalogue=profile.catalogue)
