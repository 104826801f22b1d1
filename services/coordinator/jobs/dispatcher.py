"""Sends the command of a job's state, below the state's span."""

from __future__ import annotations

from typing import Protocol

from archon_contracts.commands import CancelTraining
from services.coordinator.domain import AgentKey, ConfiguredAgent, Job
from services.coordinator.errors import UnknownAgent
from services.coordinator.jobs.commands import build_command
from services.coordinator.jobs.spans import stage_traceparent
from services.coordinator.jobs.transitions import Outbox
from shared.messaging.messages import Cause
from shared.postgres.database import Tx


class Agents(Protocol):
    """Agents as configured."""

    async def find_agent(self, tx: Tx, key: AgentKey) -> ConfiguredAgent | None: ...


class CommandDispatcher:
    """Every issue of a command is a message of its own, so that no inbox takes it for the last."""

    def __init__(self, agents: Agents, outbox: Outbox, *, revision: str) -> None:
        self._agents = agents
        self._outbox = outbox
        self._revision = revision

    async def dispatch(self, tx: Tx, job: Job, cause: Cause) -> None:
        """Order what the job's state needs.

        Raises:
            UnknownAgent: the job's agent is not configured.
        """
        agent = await self._agents.find_agent(tx, job.key)
        if agent is None:
            raise UnknownAgent(f"agent {job.key.agent_id} is not configured; configure it first")
        command = build_command(job, agent, revision=self._revision)
        sequence = f"{job.version}.{job.dispatches}"
        await self._outbox.append(tx, command, cause=cause_of_stage(cause, job), part=sequence)

    async def cancel_training(self, tx: Tx, job: Job, cause: Cause, reason: str) -> None:
        """Stop the job's running attempt."""
        command = CancelTraining(
            tenant_id=job.key.tenant_id,
            agent_id=job.key.agent_id,
            job_id=job.job_id,
            attempt=job.attempt,
            reason=reason,
        )
        await self._outbox.append(
            tx, command, cause=cause_of_stage(cause, job), part=str(job.attempt)
        )


def cause_of_stage(cause: Cause, job: Job) -> Cause:
    """The cause, told as part of the job's present state."""
    return Cause(cause.id, str(job.job_id), stage_traceparent(job))
