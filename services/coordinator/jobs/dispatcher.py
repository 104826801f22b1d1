"""Sends the command of a job's state, below the state's span."""

from __future__ import annotations

from archon_contracts.commands import CancelTraining, DeployModel
from services.coordinator.domain import Job
from services.coordinator.errors import UnknownAgent
from services.coordinator.jobs.commands import build_command
from services.coordinator.jobs.ports import ConfiguredAgents, Outbox, WorkQueue
from services.coordinator.jobs.source_work import PUBLISH_SOURCES, needed_source_work
from services.coordinator.jobs.spans import stage_traceparent
from shared.messaging.messages import Cause
from shared.postgres.database import Tx


class CommandDispatcher:
    """Each dispatch is a message of its own, so that no inbox takes it for the one before."""

    def __init__(
        self, agents: ConfiguredAgents, outbox: Outbox, work: WorkQueue, *, revision: str
    ) -> None:
        self._agents = agents
        self._outbox = outbox
        self._work = work
        self._revision = revision

    async def dispatch(self, tx: Tx, job: Job, cause: Cause) -> None:
        """Send the command of the job's state, or queue the work that must be done before it.

        Raises:
            UnknownAgent: the job's agent is not configured.
        """
        work = needed_source_work(job)
        if work is not None:
            payload = work.model_dump(mode="json")
            stage = cause_of_stage(cause, job)
            key = str(job.job_id)
            await self._work.enqueue(
                tx, kind=PUBLISH_SOURCES, key=key, payload=payload, cause=stage
            )
            return
        agent = await self._agents.find_agent(tx, job.key)
        if agent is None:
            raise UnknownAgent(f"agent {job.key.agent_id} is not configured; configure it first")
        command = build_command(job, agent, revision=self._revision)
        # Part of the message's id: a command sent again must not be dropped as a copy.
        sequence = f"{job.version}.{job.dispatches}"
        await self._outbox.append(tx, command, cause=cause_of_stage(cause, job), part=sequence)

    async def find_last_error(self, tx: Tx, job: Job) -> str | None:
        """Why the work that the job's state waits for failed last; None: it has not failed."""
        if needed_source_work(job) is None:
            return None
        return await self._work.find_last_error(tx, kind=PUBLISH_SOURCES, key=str(job.job_id))

    async def end_experiment(self, tx: Tx, job: Job, cause: Cause, reason: str) -> None:
        """Have the experiment of the job's version ended, by deploying what is deployed again."""
        agent = await self._agents.find_agent(tx, job.key)
        if agent is None or agent.deployed is None:
            return
        command = DeployModel(
            tenant_id=job.key.tenant_id,
            agent_id=job.key.agent_id,
            model_version=agent.deployed.version,
            reason=reason,
            requested_by=f"system (job {job.job_id} was cancelled)",
        )
        await self._outbox.append(tx, command, cause=cause_of_stage(cause, job))

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
    """The cause, as part of the job's present state."""
    return Cause(cause.id, str(job.job_id), stage_traceparent(job))
