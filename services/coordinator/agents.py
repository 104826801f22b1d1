"""Use cases of agents: configured, changed, rolled back."""

from __future__ import annotations

from archon_contracts.commands import ConfigureAgent
from archon_contracts.events import AgentConfigured, ModelRolledBack
from services.coordinator.domain import AgentKey
from services.coordinator.errors import ProfileMismatch
from services.coordinator.jobs.audit_entries import build_configured_entry
from services.coordinator.jobs.ports import AuditLog, Outbox
from services.coordinator.ports import AgentRecords
from services.coordinator.retraining.agent_queue import AgentQueue
from shared.messaging.messages import Message
from shared.ports import Clock
from shared.postgres.database import Tx


class AgentService:
    """The use cases; every one runs in the transaction of its message."""

    def __init__(
        self,
        agents: AgentRecords,
        agent_queue: AgentQueue,
        outbox: Outbox,
        audit: AuditLog,
        clock: Clock,
    ) -> None:
        self._agents = agents
        self._agent_queue = agent_queue
        self._outbox = outbox
        self._audit = audit
        self._clock = clock

    async def configure_agent(self, tx: Tx, message: Message[ConfigureAgent]) -> None:
        """Store the agent or its new profile; jobs that waited for it begin.

        Raises:
            ProfileMismatch: the profile names another agent than the command.
        """
        body = message.body
        if body.profile.agent_id != body.agent_id:
            raise ProfileMismatch(
                f"profile.agent_id is {body.profile.agent_id}, agent_id is {body.agent_id}; "
                "give both the same name"
            )
        before = await self._agents.lock_profile(tx, AgentKey(body.tenant_id, body.agent_id))
        await self._agents.put_agent(tx, body, self._clock.now())
        configured = AgentConfigured(
            tenant_id=body.tenant_id, agent_id=body.agent_id, profile=body.profile
        )
        await self._outbox.append(tx, configured, cause=message.cause)
        await self._agent_queue.start_next(
            tx, AgentKey(body.tenant_id, body.agent_id), message.cause
        )
        entry = build_configured_entry(message, before)
        if entry is not None:
            await self._audit.append(tx, entry, cause=message.cause)

    async def record_rollback(self, tx: Tx, message: Message[ModelRolledBack]) -> None:
        """Record which version is deployed."""
        body = message.body
        await self._agents.set_deployed(
            tx, AgentKey(body.tenant_id, body.agent_id), body.model, body.rolled_back_at
        )
